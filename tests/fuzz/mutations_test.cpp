// The fuzz targets without a fuzzer: well-formed inputs and random mutations of them, in every build of the tests.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "tests/fuzz/targets.h"
#include "tests/support/test_environment.h"

namespace cairn::fuzz {
namespace {

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
    for (size_t i = 0; i < GetParam().mutations; ++i) GetParam().run(as_bytes(mutated(seed, random)));
  }
}

// Inputs that once found something, and a few that reach far: tests/fuzz/corpus.
TEST_P(MutatedInput, of_the_corpus_is_survived_by_its_decoder) {
  const std::filesystem::path folder = std::filesystem::path(CAIRN_SOURCE_DIR "/tests/fuzz/corpus") / GetParam().name;
  if (!std::filesystem::exists(folder)) return;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    EXPECT_FALSE(bytes.empty()) << file.path();
    GetParam().run(as_bytes(bytes));
  }
}

}  // namespace
}  // namespace cairn::fuzz
