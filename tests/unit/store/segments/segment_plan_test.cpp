#include "store/segments/segment_plan.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "base/digest.h"
#include "tests/support/containers.h"
#include "tests/support/damage.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

using containers::Tensor;

constexpr uint32_t kChunkSize = 64U << 10;

PlanSource prefix_of(const std::string& file, size_t size) {
  return {.read = [&file, size](uint64_t offset, MutableByteView out) -> Result<size_t> {
    if (offset >= size) return 0;
    const size_t count = std::min<size_t>(out.size(), size - offset);
    std::memcpy(out.data(), file.data() + offset, count);
    return count;
  }};
}

SegmentPlan plan_of(const std::string& file) {
  return *plan_segments(prefix_of(file, file.size()), file.size(), true, kChunkSize);
}

std::vector<PlannedChunk> chunks_of(const std::string& file) {
  return plan_chunks(plan_of(file), file.size(), kChunkSize);
}

std::set<Digest> digests_of(const std::string& file) {
  std::set<Digest> digests;
  for (const PlannedChunk& chunk : chunks_of(file)) {
    digests.insert(sha256(as_bytes(file).subspan(chunk.offset, chunk.size)));
  }
  return digests;
}

std::string noise(size_t size, uint64_t seed) { return std::string(as_text(random_bytes(size, seed).view())); }

using Build = std::string (*)(const std::vector<Tensor>&);

struct Format {
  const char* name;
  Build build;
};

const Format kFormats[] = {
    {"safetensors", containers::safetensors},
    {"gguf", [](const std::vector<Tensor>& tensors) { return containers::gguf(tensors); }},
    {"torch", [](const std::vector<Tensor>& tensors) { return containers::torch_zip("archive", tensors); }},
    {"npz", containers::npz},
};

// What each container must do.
class SegmentsOf : public testing::TestWithParam<Format> {
 protected:
  static std::string build(const std::vector<Tensor>& tensors) { return GetParam().build(tensors); }
};

INSTANTIATE_TEST_SUITE_P(Containers, SegmentsOf, testing::ValuesIn(kFormats),
                         [](const auto& format) { return format.param.name; });

std::vector<Tensor> three_tensors() {
  return {{"a", noise(200'001, 1)}, {"small", noise(500, 2)}, {"b", noise(300'007, 3)}, {"c", noise(70'000, 4)}};
}

TEST_P(SegmentsOf, same_tensor_at_another_offset_gives_the_same_chunks) {
  const std::string tensor = noise(400'000, 1);
  const std::set<Digest> first = digests_of(build({{"x", noise(100'000, 2)}, {"t", tensor}, {"y", noise(30'000, 3)}}));
  const std::set<Digest> second = digests_of(build({{"longer name", noise(123'457, 4)}, {"t", tensor}}));
  std::vector<Digest> shared;
  std::ranges::set_intersection(first, second, std::back_inserter(shared));
  EXPECT_GE(shared.size(), tensor.size() / kChunkSize) << "all of it, but perhaps for a tail that holds padding";
}

TEST_P(SegmentsOf, tensors_of_a_quarter_chunk_start_segments_and_smaller_ones_do_not) {
  const std::string large = noise(kChunkSize / 4, 1);
  const std::string small = noise(kChunkSize / 4 - 500, 2);
  const std::string file = build({{"1", small}, {"2", small}, {"3", large}, {"4", small}, {"5", small}});
  const uint64_t header = GetParam().build == containers::npz ? 128 : 0;  // an array's own is part of its entry
  const auto starts = plan_of(file).starts;
  const uint64_t large_at = file.find(large);
  ASSERT_EQ(starts.size(), 3U);
  EXPECT_EQ(starts[1], large_at - header);
  EXPECT_EQ(starts[2], large_at + large.size());
}

TEST_P(SegmentsOf, cuts_cover_the_file_without_gap_or_overlap) {
  const std::string file = build(three_tensors());
  uint64_t end = 0;
  for (const PlannedChunk& chunk : chunks_of(file)) {
    EXPECT_EQ(chunk.offset, end);
    EXPECT_LE(chunk.size, kChunkSize);
    EXPECT_GT(chunk.size, 0U);
    end += chunk.size;
  }
  EXPECT_EQ(end, file.size());
}

// What a planner says of every prefix, looked at one after the other, holds for the whole.
void expect_settled_cuts_stay(const std::string& file, size_t step) {
  const std::vector<PlannedChunk> final_chunks = chunks_of(file);
  SegmentPlanner planner(kChunkSize);
  uint64_t settled = 0;
  for (size_t size = 0; size <= file.size(); size += step) {
    const auto plan = planner.plan(prefix_of(file, size), size, false);
    ASSERT_TRUE(plan);
    ASSERT_GE(plan->settled_bytes, settled) << "at " << size;
    ASSERT_LE(plan->settled_bytes, size);
    settled = plan->settled_bytes;
    const auto chunks = plan_chunks(*plan, settled, kChunkSize);
    ASSERT_LE(chunks.size(), final_chunks.size());
    ASSERT_TRUE(std::equal(chunks.begin(), chunks.end(), final_chunks.begin())) << "at " << size;
  }
  const auto last = planner.plan(prefix_of(file, file.size()), file.size(), true);
  EXPECT_EQ(*last, plan_of(file)) << "looking early changes nothing";
}

TEST_P(SegmentsOf, cuts_that_are_settled_stay_however_the_file_goes_on) {
  const std::string file = build(three_tensors());
  for (const size_t step : {4'096U, 997U, 100'003U}) expect_settled_cuts_stay(file, step);
}

TEST_P(SegmentsOf, cuts_are_settled_soon_after_they_are_written) {
  const std::string file = build({{"1", noise(300'000, 1)}, {"2", noise(300'000, 2)}});
  const size_t size = 500'000;
  const auto plan = plan_segments(prefix_of(file, size), size, false, kChunkSize);
  EXPECT_GE(plan->settled_bytes + 2 * kChunkSize, size);
}

TEST_P(SegmentsOf, damaged_headers_are_survived) {
  const std::string file = build({{"1", noise(17'000, 1)}, {"2", noise(100, 2)}});
  for_each_damage(
      as_bytes(file),
      [](ByteView damaged, size_t where) {
        const std::string bytes(as_text(damaged));
        const auto chunks = chunks_of(bytes);
        uint64_t total = 0;
        for (const PlannedChunk& chunk : chunks) total += chunk.size;
        EXPECT_EQ(total, bytes.size()) << where;
      },
      500);
}

TEST_P(SegmentsOf, container_inside_another_file_is_not_recognised) {
  EXPECT_EQ(plan_of("x" + build(three_tensors())).starts, std::vector<uint64_t>{0});
}

TEST(SegmentPlan, array_of_an_npy_file_is_a_segment) {
  const std::string array = noise(200'000, 1);
  EXPECT_EQ(plan_of(containers::npy(array)).starts, (std::vector<uint64_t>{0, 128}));
  expect_settled_cuts_stay(containers::npy(array), 997);
}

TEST(SegmentPlan, small_npy_file_is_one_segment) {
  EXPECT_EQ(plan_of(containers::npy(noise(1000, 1))).starts, std::vector<uint64_t>{0});
}

TEST(SegmentPlan, anything_else_is_one_segment) {
  const std::string file = noise(500'000, 1);
  EXPECT_EQ(plan_of(file).starts, std::vector<uint64_t>{0});
  expect_settled_cuts_stay(file, 4096);
  EXPECT_EQ(chunks_of(file).size(), 500'000 / kChunkSize + 1);
}

TEST(SegmentPlan, empty_file_has_no_chunks) { EXPECT_TRUE(chunks_of("").empty()); }

RC_GTEST_PROP(SegmentPlan, any_bytes_after_a_magic_are_survived, (const std::string& tail)) {
  for (const std::string magic : {"PK\x03\x04", "GGUF\x03", "\x93NUMPY\x01", "\x20"}) {
    const std::string file = magic + std::string(3, '\0') + tail;
    const auto chunks = chunks_of(file);
    RC_ASSERT(chunks.back().offset + chunks.back().size == file.size());
  }
}

TEST(SegmentPlan, entry_whose_sizes_are_filled_in_later_is_planned_as_its_data) {
  const std::vector<Tensor> arrays = {{"a", noise(100'000, 1)}, {"b", noise(300'000, 2)}};
  const std::string before = containers::unfinished_npz(arrays);
  const std::string after = containers::npz(arrays);
  const auto plan = plan_segments(prefix_of(before, before.size()), before.size(), false, kChunkSize);
  const auto settled = plan_chunks(*plan, plan->settled_bytes, kChunkSize);
  const auto final_chunks = chunks_of(after);
  EXPECT_GT(plan->settled_bytes, 300'000U);
  EXPECT_TRUE(std::equal(settled.begin(), settled.end(), final_chunks.begin()));
}

TEST(SegmentPlan, restart_sees_what_was_rewritten) {
  const std::vector<Tensor> arrays = {{"a", noise(100'000, 1)}, {"b", noise(300'000, 2)}};
  const std::string before = containers::unfinished_npz(arrays);
  const std::string after = containers::npz(arrays);
  SegmentPlanner planner(kChunkSize);
  ASSERT_TRUE(planner.plan(prefix_of(before, before.size()), before.size(), false));
  planner.restart();
  EXPECT_EQ(*planner.plan(prefix_of(after, after.size()), after.size(), true), plan_of(after));
}

TEST(SegmentPlan, descriptor_like_bytes_inside_a_tensor_do_not_end_it) {
  std::string tensor = noise(200'000, 1);
  const std::string fake =
      std::string("PK\x07\x08") + std::string(4, '\0') + "\x11\x22\x33\x44" + "\x11\x22\x33\x44" + "PK\x03\x04";
  for (size_t at = 0; at < tensor.size(); at += 5'000) tensor.replace(at, fake.size(), fake);
  const std::string file = containers::torch_zip("a", {{"0", tensor}, {"1", noise(100'000, 2)}});
  const auto starts = plan_of(file).starts;
  const uint64_t begin = file.find(tensor);
  EXPECT_EQ(std::ranges::count_if(starts, [&](uint64_t s) { return s > begin && s < begin + tensor.size(); }), 0);
  EXPECT_TRUE(std::ranges::count(starts, begin + tensor.size()));
}

TEST(SegmentPlan, truncated_download_keeps_the_cuts_it_has) {
  const std::string file = containers::safetensors(three_tensors());
  const auto whole = chunks_of(file);
  const auto part = chunks_of(file.substr(0, 300'000));
  EXPECT_TRUE(std::equal(part.begin(), part.end() - 1, whole.begin()));
}

TEST(SegmentPlan, failure_of_the_source_is_the_planners) {
  const PlanSource broken{.read = [](uint64_t, MutableByteView) -> Result<size_t> { return fail(Errc::io, "disk"); }};
  EXPECT_EQ(plan_segments(broken, 1000, true, kChunkSize).error().code(), Errc::io);
}

TEST(SegmentPlan, header_of_offsets_beyond_any_file_is_one_segment) {
  std::string file(8, '\0');
  const std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551615]}})";
  file[0] = static_cast<char>(header.size());
  file += header + noise(100'000, 1);
  EXPECT_EQ(plan_of(file).starts, std::vector<uint64_t>{0});
}

TEST(SegmentPlan, names_and_texts_of_a_header_may_be_long_and_hold_anything) {
  const std::string name(5000, 'n');
  const std::string text = R"("\"}]\\ \u00e9 \ud83d\ude00 data_offsets [1,2]" )" + std::string("  \n\t ");
  std::string header = R"({"__metadata__":{"data_offsets":)" + text + R"(,"long":")" + std::string(300'000, 'x') +
                       R"("},")" + name + R"(":{"shape":[-1,1.5e3,null,true],"data_offsets":[ 0 , 70000 ]},)" +
                       R"("b\"":{"data_offsets":[70000,140000]}})";
  std::string file(8, '\0');
  store_le<uint64_t>(header.size(), reinterpret_cast<std::byte*>(file.data()));
  file += header;
  const uint64_t base = file.size();
  file += noise(140'000, 1);
  EXPECT_EQ(plan_of(file).starts, (std::vector<uint64_t>{0, base, base + 70'000}));
}

// The most memory that this process has had since it was last asked to forget that.
uint64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  uint64_t kib = 0;
  for (std::string word; status >> word && word != "VmHWM:";) {
  }
  status >> kib;
  return kib << 10;
}

struct HostileHeader {
  const char* what;
  std::string begin;
  std::string again;  // until the header has all the bytes that one may have
};

class SegmentPlanMemory : public ::testing::TestWithParam<HostileHeader> {};

TEST_P(SegmentPlanMemory, a_header_as_large_as_may_be_takes_little) {
  constexpr uint64_t kHeaderBytes = 99'999'992;
  const std::string& again = GetParam().again;
  std::string begin(8, '\0');
  store_le<uint64_t>(kHeaderBytes, reinterpret_cast<std::byte*>(begin.data()));
  begin += GetParam().begin;
  const PlanSource header{.read = [&](uint64_t offset, MutableByteView out) -> Result<size_t> {
    for (std::byte& byte : out) {
      byte =
          static_cast<std::byte>(offset < begin.size() ? begin[offset] : again[(offset - begin.size()) % again.size()]);
      ++offset;
    }
    return out.size();
  }};
  std::ofstream("/proc/self/clear_refs") << 5;
  const uint64_t before = peak_bytes();
  const auto plan = plan_segments(header, kHeaderBytes + 8, true, 4U << 20);
  ASSERT_TRUE(plan);
  EXPECT_LT(peak_bytes() - before, 48U << 20);
}

INSTANTIATE_TEST_SUITE_P(
    Hostile, SegmentPlanMemory,
    ::testing::Values(HostileHeader{"one_name", "{\"", "n"}, HostileHeader{"one_escaped_name", "{\"", "\\u12e4"},
                      HostileHeader{"one_number", "{\"a\":1", "1"}, HostileHeader{"blanks", "{\"a\":1", " "},
                      HostileHeader{"lists", "{\"a\":[[]", ",[]"}, HostileHeader{"nested_lists", "{\"a\":[", "[1,"},
                      HostileHeader{"tensors", "{\"a\":1", ",\"\":{\"data_offsets\":[0,0]}"}),
    [](const auto& of) { return std::string(of.param.what); });

// An entry of unknown size, and then nothing for 64 TiB: what would take weeks to read.
TEST(SegmentPlanTest, a_hole_is_not_searched_for_the_end_of_an_entry) {
  std::string head = "PK\x03\x04";
  head += std::string("\x14\0\x08\0\0\0\0\0\0\0", 10) + std::string(12, '\0') + std::string("\x01\0\0\0", 4) + "a";
  constexpr uint64_t kSize = 1ULL << 46;
  uint64_t read_bytes = 0;
  const PlanSource sparse{.read = [&](uint64_t offset, MutableByteView out) -> Result<size_t> {
                            std::ranges::fill(out, std::byte{0});
                            if (offset < head.size()) {
                              std::memcpy(out.data(), head.data() + offset, std::min(out.size(), head.size() - offset));
                            }
                            read_bytes += out.size();
                            return out.size();
                          },
                          .next_data = [&](uint64_t offset) { return offset < head.size() ? offset : kSize; }};
  const auto plan = plan_segments(sparse, kSize, true, kChunkSize);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->settled_bytes, kSize);
  EXPECT_LT(read_bytes, 1U << 20);
}

}  // namespace
}  // namespace cairn
