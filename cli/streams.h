// What a command may know of the world around it, so that a test can be that world.
#pragma once

#include <ostream>

#include "daemon/host_environment.h"

namespace cairn {

// Ownership: borrows its streams, which outlive every command that is given it.
struct Streams {
  std::ostream& out;      // results
  std::ostream& err;      // complaints and progress
  bool terminal = false;  // `err` is one: progress may redraw its line
  HostEnvironment host = {};
};

}  // namespace cairn
