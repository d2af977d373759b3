#include "store/drafts/draft_layout.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <vector>

namespace cairn {
namespace {

using Source = DraftLayout::Source;

std::vector<Source> sources_of(const DraftLayout& layout) {
  std::vector<Source> sources;
  while (sources.size() < layout.size_bytes()) {
    const auto piece = layout.piece_at(sources.size());
    sources.insert(sources.end(), piece.length, piece.source);
  }
  return sources;
}

TEST(DraftLayoutTest, an_untouched_draft_is_all_base) {
  const DraftLayout layout(100);
  EXPECT_TRUE(layout.is_all(Source::base, 0, 100));
  EXPECT_EQ(layout.written_prefix(), 0U);
}

TEST(DraftLayoutTest, growing_past_the_base_makes_zeros) {
  DraftLayout layout(100);
  layout.write(150, 10);
  EXPECT_TRUE(layout.is_all(Source::base, 0, 100));
  EXPECT_TRUE(layout.is_all(Source::zeros, 100, 150));
  EXPECT_TRUE(layout.is_all(Source::staged, 150, 160));
}

TEST(DraftLayoutTest, what_was_cut_off_does_not_come_back_from_the_base) {
  DraftLayout layout(100);
  layout.write(50, 20);
  layout.truncate(40);
  layout.truncate(100);
  EXPECT_TRUE(layout.is_all(Source::base, 0, 40));
  EXPECT_TRUE(layout.is_all(Source::zeros, 40, 100));
}

TEST(DraftLayoutTest, what_is_restored_is_the_bases_and_nothing_else_of_it_shows) {
  DraftLayout layout;
  layout.restore(40, 20);
  EXPECT_TRUE(layout.is_all(Source::zeros, 0, 40));
  EXPECT_TRUE(layout.is_all(Source::base, 40, 60));
  layout.write(45, 5);
  layout.restore(30, 20);
  EXPECT_TRUE(layout.is_all(Source::base, 30, 60));
  EXPECT_EQ(layout.staged_bytes(), 0U);
}

TEST(DraftLayoutTest, sequential_writes_are_one_extent) {
  DraftLayout layout;
  for (uint64_t at = 0; at < 100; at += 10) layout.write(at, 10);
  EXPECT_EQ(layout.extents().size(), 1U);
  EXPECT_EQ(layout.written_prefix(), 100U);
}

TEST(DraftLayoutTest, a_terabyte_of_nothing_has_no_data) {
  DraftLayout layout;
  layout.truncate(1ULL << 40);
  EXPECT_EQ(layout.seek_data(0, nullptr), std::nullopt);
  EXPECT_EQ(layout.seek_hole(0, nullptr), 0U);
}

// The same as a plain array of sources, one for each byte.
class ReferenceLayout {
 public:
  explicit ReferenceLayout(size_t base_bytes)
      : bytes_(base_bytes, Source::base), written_(base_bytes), base_limit_(base_bytes) {}
  void write(size_t offset, size_t length) {
    if (offset + length > bytes_.size()) truncate(offset + length);
    fill(offset, offset + length, Source::staged);
  }
  void restore(size_t offset, size_t length) {
    const size_t base_limit = base_limit_;
    if (offset + length > bytes_.size()) truncate(offset + length);
    for (size_t i = base_limit; i < offset; ++i) written_[i] = written_[i] || bytes_[i] == Source::zeros;
    fill(offset, offset + length, Source::base);
    std::fill_n(written_.begin() + static_cast<int64_t>(offset), length, false);
    base_limit_ = std::max(base_limit, offset + length);
  }
  void sent(size_t offset, size_t length) { fill(offset, std::min(offset + length, bytes_.size()), Source::sent); }
  void truncate(size_t size) {
    bytes_.resize(size, Source::zeros);
    written_.resize(size);
    base_limit_ = std::min(base_limit_, size);
  }
  void punch(size_t offset, size_t length) { fill(offset, std::min(offset + length, bytes_.size()), Source::zeros); }
  [[nodiscard]] const std::vector<Source>& bytes() const { return bytes_; }
  [[nodiscard]] uint64_t written_prefix() const {
    return static_cast<uint64_t>(std::ranges::find(written_, false) - written_.begin());
  }
  [[nodiscard]] uint64_t count(Source source) const {
    return static_cast<uint64_t>(std::ranges::count(bytes_, source));
  }
  [[nodiscard]] uint64_t staged_after(size_t offset) const {
    const auto from = bytes_.begin() + static_cast<int64_t>(std::min(offset, bytes_.size()));
    return static_cast<uint64_t>(std::find(from, bytes_.end(), Source::staged) - bytes_.begin());
  }

 private:
  void fill(size_t begin, size_t end, Source source) {
    for (size_t i = begin; i < end; ++i) {
      bytes_[i] = source;
      written_[i] = true;
    }
  }
  std::vector<Source> bytes_;
  std::vector<bool> written_;
  size_t base_limit_;
};

TEST(DraftLayoutTest, any_sequence_of_changes_gives_what_a_plain_array_gives) {
  const bool holds = rc::check([] {
    const auto base = *rc::gen::inRange<size_t>(0, 200);
    DraftLayout layout(base);
    ReferenceLayout reference(base);
    const auto steps = *rc::gen::inRange(1, 40);
    for (int i = 0; i < steps; ++i) {
      const auto offset = *rc::gen::inRange<size_t>(0, 250);
      const auto length = *rc::gen::inRange<size_t>(1, 60);
      const auto kind = *rc::gen::inRange(0, 6);
      if (kind <= 1) {
        layout.write(offset, length);
        reference.write(offset, length);
      } else if (kind == 2) {
        layout.punch(offset, length);
        reference.punch(offset, length);
      } else if (kind == 3) {
        if (offset + length > base) continue;  // there is no more of it
        layout.restore(offset, length);
        reference.restore(offset, length);
      } else if (kind == 4) {
        layout.sent(std::make_shared<const ChunkRef>(ChunkRef{offset, static_cast<uint32_t>(length), {}, {}}));
        reference.sent(offset, length);
      } else {
        layout.truncate(offset);
        reference.truncate(offset);
      }
      RC_ASSERT(sources_of(layout) == reference.bytes());
      RC_ASSERT(layout.written_prefix() == reference.written_prefix());
      RC_ASSERT(layout.staged_bytes() == reference.count(Source::staged));
      RC_ASSERT(layout.sent_bytes() == reference.count(Source::sent));
      const auto staged = layout.staged_after(offset / 2);
      RC_ASSERT((staged ? staged->offset : layout.size_bytes()) == reference.staged_after(offset / 2));
    }
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace cairn
