// Whose files a mount shows, for teams whose numbers differ from host to host.
#pragma once

#include <optional>

#include "fs/file_system.h"

namespace cairn {

// uid=, gid= and umask= as other FUSE file systems have them: what is shown, and so what the kernel checks. The store
// keeps what was stored.
struct Ownership {
  std::optional<uint32_t> uid{}, gid{};
  std::optional<uint32_t> umask{};  // modes are 0777 without these bits

  [[nodiscard]] NodeAttributes shown(NodeAttributes attributes) const {
    attributes.uid = uid.value_or(attributes.uid);
    attributes.gid = gid.value_or(attributes.gid);
    if (umask && attributes.kind != Kind::symlink) attributes.mode = (attributes.mode & ~0777U) | (0777U & ~*umask);
    return attributes;
  }
};

}  // namespace cairn
