// What the program may know of the host it runs on, so that a test can be that host.
#pragma once

#include <map>
#include <string>

namespace cairn {

struct HostEnvironment {
  std::map<std::string, std::string> variables = {};
  std::string directory = "/";                     // the working directory: relative paths start here
  bool superuser = false;                          // decides where sockets and caches are by default
  std::string mountinfo = "/proc/self/mountinfo";  // which mounts there are
  std::string cgroup = "/proc/self/cgroup";        // which control groups this process is in

  // "" if it is not set.
  [[nodiscard]] std::string variable(const std::string& name) const {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  }
};

}  // namespace cairn
