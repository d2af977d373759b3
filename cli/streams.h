// What a command may know of the world around it, so that a test can be that world.
#pragma once

#include <map>
#include <ostream>
#include <string>

namespace cairn {

// Ownership: borrows its streams, which outlive every command that is given it.
struct Streams {
  std::ostream& out;      // results
  std::ostream& err;      // complaints and progress
  bool terminal = false;  // `err` is one: progress may redraw its line
  std::map<std::string, std::string> environment = {};
  std::string directory = "/";                     // the working directory: relative paths start here
  bool superuser = false;                          // decides where sockets and caches are by default
  std::string mountinfo = "/proc/self/mountinfo";  // which mounts there are

  // "" if it is not set.
  [[nodiscard]] std::string variable(const std::string& name) const {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  }
};

}  // namespace cairn
