// Runs `cairnfs` within a test.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "cli/run.h"

namespace cairn {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

// The world as a test makes it: nothing of this machine's environment or mounts is seen.
struct TestWorld {
  std::map<std::string, std::string> environment = {};
  std::string directory = "/";
  std::string mountinfo = "/dev/null";
};

inline Outcome run_cairnfs(const std::vector<std::string>& args, const TestWorld& world = {}) {
  std::ostringstream out;
  std::ostringstream err;
  const Streams streams{
      .out = out,
      .err = err,
      .host = {.variables = world.environment, .directory = world.directory, .mountinfo = world.mountinfo}};
  const int code = run_cli(args, streams);
  return {code, out.str(), err.str()};
}

}  // namespace cairn
