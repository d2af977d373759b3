// One libFuzzer program for the target that the build names.
#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "tests/fuzz/targets.h"

namespace {

const cairn::fuzz::Target& the_target() {
  for (const auto& target : cairn::fuzz::targets()) {
    if (std::string_view(target.name) == CAIRN_FUZZ_TARGET) return target;
  }
  cairn::check_failed("the build names a target that exists");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const cairn::fuzz::Target& target = the_target();
  target.run(std::as_bytes(std::span(data, size)));
  return 0;
}
