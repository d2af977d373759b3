// Every decoder of bytes that come from outside, as a function of any bytes. What it answers must hold together (a
// broken check aborts); that it neither crashes nor hangs nor takes memory without bound is what the fuzzer looks for.
// libFuzzer drives these functions in tests/fuzz/libfuzzer, mutated seeds do in mutations_test.cpp.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace cairn::fuzz {

struct Target {
  const char* name;
  void (*run)(ByteView bytes);
  // Well-formed inputs to start from.
  std::vector<std::string> (*seeds)();
  size_t mutations = 2'000;  // of each seed, by the test
};

std::span<const Target> targets();

}  // namespace cairn::fuzz
