#include "daemon/links.h"

#include <deque>
#include <optional>
#include <vector>

#include "base/paths.h"

namespace cairn {

namespace {

constexpr int kMaxLinks = 40;  // as the kernel

// An absolute target as a path below the root; nullopt: it is elsewhere.
std::optional<std::string> inside(const std::string& target, const std::string& mountpoint) {
  if (target == mountpoint) return "";
  if (!target.starts_with(mountpoint + "/")) return std::nullopt;
  return target.substr(mountpoint.size() + 1);
}

}  // namespace

Result<std::string> follow_links(const EntryAt& entry_at, const std::string& path, const std::string& mountpoint,
                                 bool keeps_history) {
  const std::vector<std::string> given = components_of(path);
  std::deque<std::string> rest(given.begin(), given.end());
  std::vector<std::string> reached;
  for (int links = 0; !rest.empty();) {
    const std::string name = std::move(rest.front());
    rest.pop_front();
    if (name == "..") {
      if (reached.empty()) return fail(Errc::invalid_argument, "/{}: leads out of the mount", path);
      reached.pop_back();
      continue;
    }
    reached.push_back(name);
    const Result<Entry> entry = entry_at(join(reached));
    if (!entry && entry.error().code() != Errc::not_found) return fail(entry.error());
    if (!entry || entry->deleted || entry->kind != Kind::symlink) continue;
    if (rest.empty() && keeps_history && !entry->versions.empty()) continue;
    if (++links > kMaxLinks) return fail(Errc::invalid_argument, "/{}: too many symbolic links", path);
    std::string target = entry->target;
    reached.pop_back();
    if (target.starts_with('/')) {
      const auto below = inside(target, mountpoint);
      if (!below) return fail(Errc::invalid_argument, "/{}: leads out of the mount, to {}", path, target);
      target = *below;
      reached.clear();
    }
    const std::vector<std::string> followed = components_of(target);
    rest.insert(rest.begin(), followed.begin(), followed.end());
  }
  return join(reached);
}

}  // namespace cairn
