// The processes that make a mount busy.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

struct Occupant {
  pid_t pid = 0;
  std::string command;
  std::string path;  // one of the files that it holds: open, mapped, or as its working directory
};

// The processes that hold something below `mountpoint`, as far as this user may look into /proc. Only reads links, so
// it never waits for the mount.
std::vector<Occupant> find_occupants(std::string_view mountpoint);

// "python3 (pid 4711, /srv/models/a.pt), bash (pid 17, /srv/models)": the first few; "" if there are none.
std::string describe(const std::vector<Occupant>& occupants);

}  // namespace cairn
