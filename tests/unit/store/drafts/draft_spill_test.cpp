#include "store/drafts/draft_spill.h"

#include <rapidcheck.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "store/drafts/kept_draft.h"
#include "tests/unit/store/drafts/draft_fixture.h"

namespace cairn {
namespace {

constexpr uint64_t kStagedChunks = 6;

TestEnvironmentOptions with_little_room() {
  TestEnvironmentOptions options;
  options.staging_bytes = kStagedChunks * (64U << 10);
  return options;
}

// A host that may stage a few chunks only.
class DraftSpillTest : public DraftTest {
 protected:
  DraftSpillTest() : DraftTest(with_little_room()) {}

  // As a file of the mount is written.
  static Result<void> write(Draft& draft, uint64_t offset, ByteView bytes) {
    auto room = draft.take_room(offset, bytes.size(), test_context());
    if (!room) return fail(std::move(room).error());
    return draft.write(offset, bytes);
  }
  static void write_through(Draft& draft, ByteView bytes, size_t piece = 16U << 10) {
    for (size_t at = 0; at < bytes.size(); at += piece) {
      ASSERT_TRUE(write(draft, at, bytes.subspan(at, std::min(piece, bytes.size() - at)))) << at;
    }
  }
  StagingRoom& room() { return host_.environment().staging.room(); }
};

TEST_F(DraftSpillTest, a_file_larger_than_the_staging_area_is_written_and_sealed_whole) {
  const Buffer bytes = random_bytes(40 * kChunk + 123, 1);
  const auto draft = new_draft();
  write_through(*draft, bytes.view());
  EXPECT_LE(draft->bytes().staged_bytes(), kStagedChunks * kChunk);
  EXPECT_EQ(published(seal(*draft)), to_vector(bytes.view()));
}

TEST_F(DraftSpillTest, what_was_given_back_is_sent_once) {
  const Buffer bytes = random_bytes(40 * kChunk, 1);
  const auto draft = new_draft();
  write_through(*draft, bytes.view());
  const StoredContent sealed = seal(*draft);
  EXPECT_EQ(puts(), 40U);
  EXPECT_EQ(sealed.chunks_new, 40U);
}

TEST_F(DraftSpillTest, zeros_need_no_room) {
  const std::vector<std::byte> zeros(40 * kChunk);
  const auto draft = new_draft();
  write_through(*draft, zeros);
  EXPECT_EQ(puts(), 0U);
  EXPECT_EQ(read_all(*draft), zeros);
  EXPECT_EQ(published(seal(*draft)), zeros);
}

TEST_F(DraftSpillTest, a_file_that_has_room_stays_on_this_machine) {
  const Buffer bytes = random_bytes(kStagedChunks / 2 * kChunk, 1);
  const auto draft = new_draft();
  write_through(*draft, bytes.view());
  seal(*draft);
  EXPECT_EQ(draft->bytes().staged_bytes(), bytes.size());
  EXPECT_EQ(read_all(*draft), to_vector(bytes.view()));
  EXPECT_EQ(fetches(), 0U);
}

TEST_F(DraftSpillTest, a_file_that_is_not_written_from_the_start_on_finds_room_as_well) {
  const Buffer bytes = random_bytes(30 * kChunk, 1);
  const auto draft = new_draft();
  for (size_t chunk = 30; chunk-- > 0;) {
    ASSERT_TRUE(write(*draft, chunk * kChunk, bytes.view().subspan(chunk * kChunk, kChunk)));
  }
  EXPECT_EQ(published(seal(*draft)), to_vector(bytes.view()));
}

TEST_F(DraftSpillTest, a_base_is_rewritten_in_less_room_than_it_takes) {
  const Buffer base = random_bytes(30 * kChunk, 1);
  std::vector<std::byte> expected = to_vector(base.view());
  const auto draft = draft_over(base.view());
  const Buffer page = random_bytes(kChunk / 2, 2);
  for (size_t chunk = 0; chunk < 30; ++chunk) {
    ASSERT_TRUE(write(*draft, chunk * kChunk + 100, page.view()));
    std::ranges::copy(page.view(), expected.begin() + static_cast<int64_t>(chunk * kChunk + 100));
  }
  EXPECT_EQ(read_all(*draft), expected);
  EXPECT_EQ(published(seal(*draft)), expected);
}

TEST_F(DraftSpillTest, any_sequence_of_changes_gives_what_a_plain_array_gives) {
  const bool holds = rc::check([this] {
    const auto draft = new_draft();
    std::vector<std::byte> expected;
    const auto steps = *rc::gen::inRange(10, 40);
    for (int i = 0; i < steps; ++i) {
      const auto kind = *rc::gen::inRange(0, 10);
      const auto offset = kind < 4 ? expected.size() : *rc::gen::inRange<size_t>(0, expected.size() + 1);
      const auto length = *rc::gen::inRange<size_t>(1, 3 * kChunk);
      if (kind < 8) {
        const Buffer bytes = random_bytes(length, *rc::gen::inRange<uint64_t>(0, 1000));
        RC_ASSERT(write(*draft, offset, bytes.view()).has_value());
        expected.resize(std::max(expected.size(), offset + length));
        std::ranges::copy(bytes.view(), expected.begin() + static_cast<int64_t>(offset));
      } else if (kind == 8) {
        RC_ASSERT(draft->truncate(offset + length / 8).has_value());
        expected.resize(offset + length / 8);
      } else {
        RC_ASSERT(draft->punch(offset, length).has_value());
        const size_t end = std::min(offset + length, expected.size());
        std::fill(expected.begin() + static_cast<int64_t>(offset), expected.begin() + static_cast<int64_t>(end),
                  std::byte{0});
      }
      RC_ASSERT(room().used().written <= room().limit_bytes());
      if (i % 15 == 14) RC_ASSERT(published(seal(*draft)) == expected);
    }
    RC_ASSERT(read_all(*draft) == expected);
    RC_ASSERT(published(seal(*draft)) == expected);
  });
  EXPECT_TRUE(holds);
}

TEST_F(DraftSpillTest, two_large_files_are_written_side_by_side) {
  const Buffer first = random_bytes(30 * kChunk, 1);
  const Buffer second = random_bytes(30 * kChunk, 2);
  const auto one = new_draft();
  const auto other = new_draft();
  auto writing = std::async(std::launch::async, [&] { write_through(*one, first.view()); });
  write_through(*other, second.view());
  writing.get();
  EXPECT_EQ(published(seal(*one)), to_vector(first.view()));
  EXPECT_EQ(published(seal(*other)), to_vector(second.view()));
}

TEST_F(DraftSpillTest, a_store_that_takes_nothing_is_no_space_and_what_was_written_is_intact) {
  host_.environment().options.operation_timeout = std::chrono::milliseconds(200);
  remote_.add(
      {.operation = ObjectOperation::put_if_absent, .key_prefix = std::string(keys::kChunks), .times = kEveryTime});
  const Buffer bytes = random_bytes(30 * kChunk, 1);
  const auto draft = new_draft();
  size_t at = 0;
  Result<void> written;
  while (at < bytes.size()) {
    written = write(*draft, at, bytes.view().subspan(at, kChunk / 4));
    if (!written) break;
    at += kChunk / 4;
  }
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Errc::no_space);
  EXPECT_EQ(at, kStagedChunks * kChunk);
  remote_.heal();
  EXPECT_EQ(published(seal(*draft)), to_vector(bytes.view().first(at)));
  EXPECT_TRUE(write(*draft, at, bytes.view().subspan(at, kChunk)));
}

TEST_F(DraftSpillTest, a_writer_waits_for_a_store_that_is_slow) {
  const auto gate = block_puts();
  const Buffer bytes = random_bytes(30 * kChunk, 1);
  const auto draft = new_draft();
  auto writing = std::async(std::launch::async, [&] { write_through(*draft, bytes.view()); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  gate->open();
  writing.get();
  EXPECT_EQ(published(seal(*draft)), to_vector(bytes.view()));
}

TEST_F(DraftSpillTest, room_that_a_kept_draft_takes_is_taken_from_nobody) {
  host_.environment().options.operation_timeout = std::chrono::milliseconds(50);
  const auto gate = block_puts();
  const auto kept = new_draft();
  const Buffer bytes = random_bytes(kStagedChunks * kChunk, 1);
  write_sequentially(*kept, bytes.view());
  ASSERT_TRUE(kept->keep("kept"));
  gate->open();
  seal(*kept);
  EXPECT_EQ(kept->bytes().staged_bytes(), bytes.size());
  EXPECT_EQ(room().used().kept, bytes.size());
  const auto draft = new_draft();
  EXPECT_EQ(write(*draft, 0, bytes.view().first(100)).error().code(), Errc::no_space);
  EXPECT_EQ(kept->fork(0, test_context()).error().code(), Errc::no_space);
  kept->release();
  EXPECT_EQ(room().used().kept, 0U);
}

TEST_F(DraftSpillTest, a_copy_of_what_is_kept_waits_for_room_and_can_be_interrupted) {
  const auto gate = block_puts();
  const auto kept = new_draft();
  const Buffer bytes = random_bytes(kStagedChunks * kChunk / 2, 1);
  write_sequentially(*kept, bytes.view());
  ASSERT_TRUE(kept->keep("kept"));
  auto other = new_draft();
  write_sequentially(*other, bytes.view());
  ASSERT_TRUE(other->keep("other"));
  std::stop_source stop;
  const auto context = RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token());
  auto given_up = std::async(std::launch::async, [&] { return kept->fork(0, context); });
  stop.request_stop();
  EXPECT_EQ(given_up.get().error().code(), Errc::cancelled);
  auto fork = std::async(std::launch::async, [&] { return kept->fork(0, test_context()); });
  EXPECT_EQ(fork.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  gate->open();
  seal(*other);
  other->release();
  other.reset();
  const auto copy = fork.get();
  ASSERT_TRUE(copy) << copy.error().to_string();
  EXPECT_EQ((*copy)->bytes().staged_bytes(), bytes.size());
}

// A restart of the process: the same staging directory.
class SpilledRecoveryTest : public DraftSpillTest {
 protected:
  struct NextProcess {
    NextProcess(ObjectStore& objects, std::shared_ptr<TemporaryDirectory> staging)
        : world(objects, {}, std::move(staging)), reader(world.environment()), writer(world.environment()) {}
    std::unique_ptr<Draft> only_draft() {
      auto found = take_kept_drafts(world.environment().staging, 64U << 10).value();
      EXPECT_EQ(found.size(), 1U);
      EXPECT_TRUE(found.at(0).needs_store());
      return open_kept_draft(world.environment(), reader, writer, found.at(0), test_context()).value();
    }
    TestEnvironment world;
    ChunkReader reader;
    ChunkWriter writer;
  };

  // What a process that dies here leaves, in a directory of its own.
  std::shared_ptr<TemporaryDirectory> left_behind() {
    auto copy = std::make_shared<TemporaryDirectory>();
    std::filesystem::copy(host_.staging_directory()->path(), copy->path(), std::filesystem::copy_options::recursive);
    return copy;
  }
};

TEST_F(SpilledRecoveryTest, a_draft_that_was_never_closed_is_whole_though_most_of_it_was_given_back) {
  const Buffer bytes = random_bytes(30 * kChunk + 5, 1);
  std::vector<std::byte> expected = to_vector(bytes.view());
  const auto draft = new_draft();
  ASSERT_TRUE(draft->note("never closed"));
  write_through(*draft, bytes.view());
  ASSERT_TRUE(write(*draft, 3 * kChunk + 7, random_bytes(kChunk, 2).view()));
  std::ranges::copy(random_bytes(kChunk, 2).view(), expected.begin() + 3 * kChunk + 7);
  NextProcess next(remote_, left_behind());
  EXPECT_EQ(read_all(*next.only_draft()), expected);
}

TEST_F(SpilledRecoveryTest, a_kept_draft_is_whole_though_most_of_it_was_given_back) {
  const Buffer bytes = random_bytes(30 * kChunk + 5, 1);
  const auto draft = new_draft();
  write_through(*draft, bytes.view());
  ASSERT_TRUE(draft->keep("kept"));
  NextProcess next(remote_, left_behind());
  const auto found = next.only_draft();
  EXPECT_EQ(read_all(*found), to_vector(bytes.view()));
  const uint64_t puts_before = puts();
  EXPECT_EQ(published(seal(*found)), to_vector(bytes.view()));
  EXPECT_LE(puts() - puts_before, kStagedChunks) << "chunks that the store has were sent again";
  const auto fork = found->fork(0, test_context()).value();
  EXPECT_EQ(read_all(*fork), to_vector(bytes.view()));
}

}  // namespace
}  // namespace cairn
