#include "base/bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>

#include "base/units.h"

namespace cairn {

TEST(Hex, of_bytes_is_lower_case_and_reads_back) {
  const std::array bytes = {std::byte{0x00}, std::byte{0x7f}, std::byte{0xab}, std::byte{0xff}};
  EXPECT_EQ(to_hex(bytes), "007fabff");
  std::array<std::byte, 4> back{};
  ASSERT_TRUE(from_hex("007fabff", back));
  EXPECT_EQ(back, bytes);
}

TEST(Hex, anything_else_is_refused) {
  std::array<std::byte, 2> out{};
  for (const std::string_view text : {"", "00", "00112", "001122", "0g11", "00 1", "AB12", "-111"}) {
    EXPECT_FALSE(from_hex(text, out)) << text;
  }
}

TEST(HumanBytes, have_two_digits_or_more_and_a_unit) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(312 * 1024), "312 KiB");
  EXPECT_EQ(human_bytes(3ULL << 29), "1.5 GiB");
  EXPECT_EQ(human_bytes(UINT64_MAX), "16384 PiB");
}

TEST(LittleEndian, integers_are_stored_lowest_byte_first_at_any_address) {
  std::array<std::byte, 9> memory{};
  store_le<uint64_t>(0x0807060504030201, memory.data() + 1);
  for (size_t i = 1; i < memory.size(); ++i) EXPECT_EQ(std::to_integer<size_t>(memory[i]), i);
  EXPECT_EQ(load_le<uint64_t>(memory.data() + 1), 0x0807060504030201U);
  EXPECT_EQ(load_le<uint32_t>(memory.data() + 2), 0x05040302U);
  EXPECT_EQ(load_le<uint16_t>(memory.data() + 7), 0x0807U);
  EXPECT_EQ(load_le<uint8_t>(memory.data() + 8), 8U);
}

TEST(Buffer, a_copy_has_the_bytes_and_an_address_of_its_own) {
  const std::string text = "some bytes";
  const Buffer copy = Buffer::copy_of(as_bytes(text));
  EXPECT_EQ(as_text(copy.view()), text);
  EXPECT_NE(static_cast<const void*>(copy.data()), static_cast<const void*>(text.data()));
}

TEST(Buffer, shrinking_forgets_the_end) {
  Buffer buffer = Buffer::copy_of(as_bytes("some bytes"));
  buffer.shrink_to(4);
  EXPECT_EQ(as_text(buffer.view()), "some");
  buffer.shrink_to(0);
  EXPECT_TRUE(buffer.empty());
}

TEST(Buffer, of_nothing_is_empty) {
  EXPECT_TRUE(Buffer().empty());
  EXPECT_TRUE(Buffer::copy_of({}).empty());
  EXPECT_EQ(Buffer(0).view().size(), 0);
}

namespace {

// The flags of the mapping that `address` is in, as /proc shows them.
std::string flags_of_map_at(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool is_inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) is_inside = begin <= wanted && wanted < end;
    if (is_inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return {};
}

}  // namespace

TEST(Buffer, of_a_chunks_size_is_left_out_of_core_dumps) {
  const Block block = allocate_block(4U << 20);
  if (!block.get_deleter().is_pooled) GTEST_SKIP() << "this build has no pool";
  EXPECT_NE(flags_of_map_at(block.get()).find(" dd "), std::string::npos) << flags_of_map_at(block.get());
}

}  // namespace cairn
