// The fuzz targets without a fuzzer: well-formed inputs and random mutations of them, in every build of the tests.
#include <gtest/gtest.h>

#include <random>

#include "tests/fuzz/targets.h"
#include "tests/support/test_environment.h"

namespace cairn::fuzz {
namespace {

constexpr size_t kMutations = 2'000;

std::string mutated(std::string bytes, std::mt19937_64& random) {
  const size_t changes = 1 + random() % 4;
  for (size_t i = 0; i < changes && !bytes.empty(); ++i) {
    const size_t at = random() % bytes.size();
    switch (random() % 5) {
      case 0: bytes[at] = static_cast<char>(random()); break;
      case 1: bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8)); break;
      case 2: bytes.resize(at); break;
      case 3: bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 16)); break;
      default: bytes.erase(at, 1 + random() % 16); break;
    }
  }
  return bytes;
}

class MutatedInput : public testing::TestWithParam<Target> {};

INSTANTIATE_TEST_SUITE_P(Fuzz, MutatedInput, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& target) { return target.param.name; });

TEST_P(MutatedInput, is_survived_by_its_decoder) {
  std::mt19937_64 random(test_seed());
  GetParam().run({});
  for (const std::string& seed : GetParam().seeds()) {
    GetParam().run(as_bytes(seed));
    for (size_t i = 0; i < kMutations; ++i) GetParam().run(as_bytes(mutated(seed, random)));
  }
}

}  // namespace
}  // namespace cairn::fuzz
