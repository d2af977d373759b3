// The work during which hosts die.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/crash/tree.h"

namespace cairn {

// One thing that a program does and waits for. Once it has returned success, `after` is promised.
struct Step {
  std::string what;
  std::function<Result<void>(TestHost&)> run;
  Tree after;                // the whole tree once the step is acknowledged
  std::vector<Tree> within;  // what else may be found if the host dies during the step, besides before and after
};

// Checkpoints saved, renamed into place, between directories and over each other, removed, appended to.
std::vector<Step> checkpoint_script();

}  // namespace cairn
