// What mount(8) and /etc/fstab put after -o.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/settings.h"
#include "fs/fuse/ownership.h"

namespace cairn {

// "ro,cache.size=20GiB,nodev,x-systemd.automount": settings are assigned, what the kernel acts on is collected, what
// concerns only mount(8), systemd and other file systems' helpers is passed over.
struct MountOptions {
  std::vector<std::string> kernel;  // nodev, nosuid, noexec…: as given, in order
  std::string config_file;          // config=FILE
  bool nonempty = false;            // mount over a directory that has entries
  bool remount = false;             // change a mount that is there
  bool follow_symlinks = true;      // not nosymfollow
  Ownership ownership;              // uid=, gid=, umask=
  std::vector<std::string> words;   // all of them, in order
};

// A comma inside a value is written "\,", or stands between double quotes. Failures: invalid_argument for anything
// unknown.
Result<void> apply_mount_options(std::string_view text, Settings& settings, MountOptions& options);

}  // namespace cairn
