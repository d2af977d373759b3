#include "daemon/group_memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

namespace cairn {

namespace {

namespace fs = std::filesystem;

// A v1 group without a limit has one of nearly 2^63.
constexpr uint64_t kUnlimited = 1ULL << 60;

// A hierarchy of groups that can limit memory, as it is mounted here.
struct Hierarchy {
  bool is_v2 = false;
  std::string root;  // the group that is seen at the mountpoint
  std::string mountpoint;
};

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
}

bool lists(const std::string& options, const std::string& wanted) {
  return ("," + options + ",").find("," + wanted + ",") != std::string::npos;
}

// mountinfo: "32 31 0:29 ROOT MOUNTPOINT rw - cgroup cgroup rw,memory", with optional fields in front of the "-".
std::vector<Hierarchy> hierarchies(const HostEnvironment& host) {
  std::vector<Hierarchy> found;
  std::ifstream mounts(host.mountinfo);
  for (std::string line; std::getline(mounts, line);) {
    const std::vector<std::string> words = words_of(line);
    const auto dash = std::ranges::find(words, "-");
    if (words.end() - dash < 4 || dash - words.begin() < 6) continue;
    const bool is_v2 = dash[1] == "cgroup2";
    const bool is_v1 = dash[1] == "cgroup" && lists(dash[3], "memory");
    if (is_v1 || is_v2) found.push_back({is_v2, words[3], words[4]});
  }
  return found;
}

// /proc/self/cgroup: "0::/path" (v2), "4:cpu,memory:/path" (v1).
std::optional<std::string> group_in(const Hierarchy& hierarchy, const HostEnvironment& host) {
  std::ifstream groups(host.cgroup);
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (hierarchy.is_v2 ? controllers.empty() : lists(controllers, "memory")) return line.substr(second + 1);
  }
  return std::nullopt;
}

uint64_t limit_at(const fs::path& group, bool is_v2) {
  std::ifstream file(group / (is_v2 ? "memory.max" : "memory.limit_in_bytes"));
  uint64_t bytes = 0;
  return file >> bytes ? bytes : kUnlimited;  // "max" is no number, and the root has no file
}

// From the group up to what is seen at the mountpoint. A group of which only something above is to be seen here (a
// container) has at least the limits of that.
uint64_t limit_in(const Hierarchy& hierarchy, const std::string& group) {
  const fs::path top(hierarchy.mountpoint);
  const fs::path below = fs::path(group).lexically_relative(hierarchy.root);
  const bool is_seen = !below.empty() && *below.begin() != "..";
  fs::path at = is_seen ? (top / below).lexically_normal() : top;
  uint64_t least = limit_at(top, hierarchy.is_v2);
  for (; at != top && at.has_relative_path() && at.native().size() > top.native().size(); at = at.parent_path()) {
    least = std::min(least, limit_at(at, hierarchy.is_v2));
  }
  return least;
}

}  // namespace

std::optional<uint64_t> group_memory_limit(const HostEnvironment& host) {
  uint64_t least = kUnlimited;
  for (const Hierarchy& hierarchy : hierarchies(host)) {
    if (const auto group = group_in(hierarchy, host)) least = std::min(least, limit_in(hierarchy, *group));
  }
  if (least == kUnlimited) return std::nullopt;
  return least;
}

}  // namespace cairn
