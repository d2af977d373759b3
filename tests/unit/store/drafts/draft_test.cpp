#include "store/drafts/draft.h"

#include <rapidcheck.h>
#include <sys/resource.h>

#include <csignal>
#include <future>

#include "tests/unit/store/drafts/draft_fixture.h"

namespace cairn {
namespace {

TEST_F(DraftTest, a_new_draft_is_empty_and_clean) {
  const auto draft = new_draft();
  EXPECT_EQ(draft->size_bytes(), 0U);
  EXPECT_FALSE(draft->dirty());
}

TEST_F(DraftTest, sealed_bytes_are_what_was_written) {
  const Buffer bytes = random_bytes(5 * kChunk + 321, 1);
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  EXPECT_TRUE(draft->dirty());
  const StoredContent sealed = seal(*draft);
  EXPECT_FALSE(draft->dirty());
  EXPECT_EQ(published(sealed), to_vector(bytes.view()));
  EXPECT_EQ(sealed.chunks_new, 6U);
  EXPECT_EQ(sealed.chunks_shared, 0U);
  EXPECT_GT(sealed.stored_bytes, bytes.size() / 2);
}

TEST_F(DraftTest, a_small_file_is_sealed_inline_and_sends_nothing) {
  const Buffer bytes = random_bytes(1000, 1);
  const auto draft = new_draft();
  ASSERT_TRUE(draft->write(0, bytes.view()));
  const StoredContent sealed = seal(*draft);
  EXPECT_EQ(to_vector(std::get<SharedBuffer>(sealed.content)->view()), to_vector(bytes.view()));
  EXPECT_EQ(puts(), 0U);
}

TEST_F(DraftTest, a_copy_of_a_whole_version_names_what_is_stored_and_asks_for_nothing) {
  for (const size_t size : {size_t{20} * kChunk, size_t{3} * kChunk + 17, size_t{100}}) {
    const Buffer bytes = random_bytes(size, 1);
    const auto source = open_file(put_file(store_, bytes.view()));
    remote_.reset_counts();
    const auto draft = Draft::open_blank(host_.environment(), reader_, writer_, source).value();
    EXPECT_TRUE(draft->is_blank());
    ASSERT_TRUE(draft->restore(0, size / 2));
    ASSERT_TRUE(draft->restore(size / 2, size - size / 2));
    const StoredContent sealed = seal(*draft);
    EXPECT_EQ(remote_.count(), 0U);
    EXPECT_EQ(sealed.chunks_new, 0U);
    EXPECT_EQ(sealed.stored_bytes, 0U);
    EXPECT_EQ(sealed.content, source->version()->content);
    EXPECT_EQ(published(sealed), to_vector(bytes.view()));
  }
}

TEST_F(DraftTest, a_copy_that_goes_its_own_way_sends_what_is_its_own) {
  const Buffer bytes = random_bytes(8 * kChunk, 1);
  const auto draft =
      Draft::open_blank(host_.environment(), reader_, writer_, open_file(put_file(store_, bytes.view()))).value();
  ASSERT_TRUE(draft->restore(0, bytes.size()));
  ASSERT_TRUE(draft->write(3 * kChunk, random_bytes(10, 2).view()));
  const auto expected = read_all(*draft);
  const StoredContent sealed = seal(*draft);
  EXPECT_EQ(sealed.chunks_new, 1U);
  EXPECT_EQ(sealed.chunks_shared, 7U);
  EXPECT_EQ(published(sealed), expected);
}

TEST_F(DraftTest, no_more_is_restored_than_the_base_has) {
  const auto draft = draft_over(random_bytes(100, 1).view());
  EXPECT_EQ(draft->restore(50, 51).error().code(), Errc::invalid_argument);
  EXPECT_EQ(new_draft()->restore(0, 1).error().code(), Errc::invalid_argument);
  EXPECT_FALSE(draft->dirty());
}

TEST_F(DraftTest, an_empty_file_is_an_empty_inline_content) {
  const StoredContent sealed = seal(*new_draft());
  EXPECT_EQ(std::get<SharedBuffer>(sealed.content)->size(), 0U);
}

TEST_F(DraftTest, many_chunks_are_listed_in_a_manifest_object) {
  const Buffer bytes = random_bytes(20 * kChunk, 1);
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  const StoredContent sealed = seal(*draft);
  EXPECT_TRUE(std::holds_alternative<Digest>(sealed.content));
  EXPECT_EQ(published(sealed), to_vector(bytes.view()));
}

TEST_F(DraftTest, the_cuts_do_not_depend_on_how_the_bytes_were_written) {
  const Buffer bytes = random_bytes(7 * kChunk, 1);
  const auto forward = new_draft();
  write_sequentially(*forward, bytes.view());
  const auto backward = new_draft();
  for (size_t at = bytes.size(); at > 0; at -= 1024) {
    ASSERT_TRUE(backward->write(at - 1024, bytes.view().subspan(at - 1024, 1024)));
  }
  EXPECT_EQ(manifest_of(seal(*forward)).chunks(), manifest_of(seal(*backward)).chunks());
}

TEST_F(DraftTest, reading_sees_the_base_under_what_was_written) {
  const Buffer base = random_bytes(3 * kChunk, 1);
  const auto draft = draft_over(base.view());
  std::vector<std::byte> expected = to_vector(base.view());
  const Buffer patch = random_bytes(1000, 2);
  ASSERT_TRUE(draft->write(kChunk - 500, patch.view()));
  std::memcpy(expected.data() + kChunk - 500, patch.data(), patch.size());
  EXPECT_EQ(read_all(*draft), expected);
  EXPECT_EQ(published(seal(*draft)), expected);
}

TEST_F(DraftTest, changing_one_byte_reads_and_sends_one_chunk) {
  const Buffer base = random_bytes(10 * kChunk, 1);
  const auto draft = draft_over(base.view());
  const auto fetched_before = fetches();
  const std::byte one{42};
  ASSERT_TRUE(draft->write(4 * kChunk + 77, ByteView(&one, 1)));
  const StoredContent sealed = seal(*draft);
  EXPECT_EQ(puts(), 1U);
  EXPECT_EQ(sealed.chunks_new, 1U);
  EXPECT_EQ(sealed.chunks_shared, 9U);
  // The chunk itself, and the file's first 256 KiB to see what kind of file it is.
  EXPECT_LE(fetches() - fetched_before, 5U);
}

TEST_F(DraftTest, five_percent_rewrite_sends_few_chunks) {
  Buffer content = random_bytes(40 * kChunk, 1);
  const auto first = new_draft();
  write_sequentially(*first, content.view());
  seal(*first);
  const uint64_t before = puts();
  // A framework saves the whole file again, with one tensor in twenty changed.
  const Buffer changed = random_bytes(2 * kChunk, 2);
  std::memcpy(content.data() + 17 * kChunk, changed.data(), changed.size());
  const auto second = new_draft();
  write_sequentially(*second, content.view());
  const StoredContent sealed = seal(*second);
  EXPECT_EQ(puts() - before, 2U);
  EXPECT_EQ(sealed.chunks_new, 2U);
  EXPECT_EQ(sealed.chunks_shared, 38U);
}

TEST_F(DraftTest, truncate_to_1_TiB_is_instant) {
  constexpr uint64_t kSize = 1ULL << 40;
  const auto draft = new_draft();
  ASSERT_TRUE(draft->truncate(kSize));
  const std::byte last{1};
  ASSERT_TRUE(draft->write(kSize - 1, ByteView(&last, 1)));
  const StoredContent sealed = seal(*draft);
  EXPECT_EQ(sealed.size_bytes, kSize);
  EXPECT_EQ(manifest_of(sealed).chunks().size(), 1U);
  EXPECT_EQ(draft->seek_data(0), kSize - 1);
}

TEST_F(DraftTest, chunks_of_zeros_become_holes) {
  Buffer bytes = random_bytes(4 * kChunk, 1);
  std::memset(bytes.data() + kChunk, 0, 2 * kChunk);
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  const StoredContent sealed = seal(*draft);
  EXPECT_EQ(manifest_of(sealed).chunks().size(), 2U);
  EXPECT_EQ(puts(), 2U);
  EXPECT_EQ(published(sealed), to_vector(bytes.view()));
}

TEST_F(DraftTest, sequential_writes_are_sent_while_the_writer_goes_on) {
  const auto gate = block_puts();
  const auto draft = new_draft();
  write_sequentially(*draft, random_bytes(6 * kChunk, 1).view());
  EXPECT_TRUE(gate->wait_for_arrivals(2));  // before anybody asked to seal
  gate->open();
  seal(*draft);
  EXPECT_EQ(puts(), 6U);
}

TEST_F(DraftTest, what_was_sent_early_and_then_rewritten_is_sent_again) {
  Buffer bytes = random_bytes(6 * kChunk, 1);
  const auto gate = block_puts();
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  // A header at the start is completed last.
  const Buffer header = random_bytes(100, 2);
  ASSERT_TRUE(draft->write(0, header.view()));
  std::memcpy(bytes.data(), header.data(), header.size());
  gate->open();
  EXPECT_EQ(published(seal(*draft)), to_vector(bytes.view()));
}

TEST_F(DraftTest, an_early_send_that_failed_is_tried_again_by_the_seal) {
  remote_.add({.operation = ObjectOperation::put_if_absent, .key_prefix = keys::kChunks, .times = 2});
  const Buffer bytes = random_bytes(6 * kChunk, 1);
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  auto sealed = draft->seal(test_context());
  // A seal that was itself the first to try reports the failure, and the next one succeeds.
  while (!sealed) sealed = draft->seal(test_context());
  EXPECT_EQ(published(*sealed), to_vector(bytes.view()));
}

TEST_F(DraftTest, a_failed_seal_leaves_the_draft_dirty_and_the_next_sends_only_the_rest) {
  Buffer bytes = random_bytes(6 * kChunk, 1);
  bytes.data()[0] = std::byte{0};
  const auto draft = new_draft();
  ASSERT_TRUE(draft->write(1, bytes.view().subspan(1)));  // not from the start on: nothing is sent early
  remote_.add(
      {.operation = ObjectOperation::put_if_absent, .key_prefix = keys::kChunks, .nth = 4, .times = kEveryTime});
  EXPECT_EQ(draft->seal(test_context()).error().code(), Errc::unavailable);
  EXPECT_TRUE(draft->dirty());
  remote_.heal();
  remote_.reset_counts();
  EXPECT_EQ(published(seal(*draft)), to_vector(bytes.view()));
  EXPECT_LE(puts(), 3U);
}

TEST_F(DraftTest, writes_during_seal_stay_dirty) {
  Buffer bytes = random_bytes(3 * kChunk, 1);
  bytes.data()[0] = std::byte{0};
  const Buffer late = random_bytes(10, 2);
  const auto gate = block_puts();
  const auto draft = new_draft();
  ASSERT_TRUE(draft->write(1, bytes.view().subspan(1)));  // not from the start on: only the seal sends
  auto sealing = std::async(std::launch::async, [&] { return seal(*draft); });
  ASSERT_TRUE(gate->wait_for_arrivals(3));
  ASSERT_TRUE(draft->write(kChunk, late.view()));
  gate->open();
  EXPECT_EQ(published(sealing.get()), to_vector(bytes.view()));
  EXPECT_TRUE(draft->dirty());
  std::vector<std::byte> expected = to_vector(bytes.view());
  std::memcpy(expected.data() + kChunk, late.data(), late.size());
  EXPECT_EQ(published(seal(*draft)), expected);
  EXPECT_FALSE(draft->dirty());
}

TEST_F(DraftTest, an_interrupted_seal_returns_and_what_it_sent_is_not_sent_again) {
  const Buffer bytes = random_bytes(3 * kChunk, 1);
  const auto gate = block_puts();
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  std::stop_source interrupt;
  auto sealing = std::async(std::launch::async, [&] {
    RequestContext context = test_context();
    context.stop = interrupt.get_token();
    return draft->seal(context);
  });
  ASSERT_TRUE(gate->wait_for_arrivals(3));
  interrupt.request_stop();
  EXPECT_EQ(sealing.get().error().code(), Errc::cancelled);
  gate->open();
  EXPECT_EQ(published(seal(*draft)), to_vector(bytes.view()));
  EXPECT_EQ(puts(), 3U);
}

TEST_F(DraftTest, sealing_again_after_a_small_change_sends_that_and_counts_the_rest_as_shared) {
  const auto draft = new_draft();
  write_sequentially(*draft, random_bytes(8 * kChunk, 1).view());
  seal(*draft);
  const uint64_t before = puts();
  ASSERT_TRUE(draft->write(3 * kChunk, random_bytes(10, 2).view()));
  const StoredContent sealed = seal(*draft);
  EXPECT_EQ(puts() - before, 1U);
  EXPECT_EQ(sealed.chunks_new, 1U);
  EXPECT_EQ(sealed.chunks_shared, 7U);
}

TEST_F(DraftTest, truncate_and_extend_hides_what_was_there) {
  const Buffer base = random_bytes(3 * kChunk, 1);
  const auto draft = draft_over(base.view());
  ASSERT_TRUE(draft->truncate(kChunk / 2));
  ASSERT_TRUE(draft->truncate(2 * kChunk));
  std::vector<std::byte> expected(2 * kChunk);
  std::memcpy(expected.data(), base.data(), kChunk / 2);
  EXPECT_EQ(read_all(*draft), expected);
  EXPECT_EQ(published(seal(*draft)), expected);
}

TEST_F(DraftTest, a_punched_range_is_a_hole_of_zeros) {
  const Buffer base = random_bytes(4 * kChunk, 1);
  const auto draft = draft_over(base.view());
  ASSERT_TRUE(draft->punch(kChunk, 2 * kChunk));
  EXPECT_EQ(draft->seek_hole(0), kChunk);
  EXPECT_EQ(draft->seek_data(kChunk), 3U * kChunk);
  std::vector<std::byte> expected = to_vector(base.view());
  std::fill_n(expected.begin() + kChunk, 2 * kChunk, std::byte{0});
  const StoredContent sealed = seal(*draft);
  EXPECT_EQ(published(sealed), expected);
  EXPECT_EQ(manifest_of(sealed).chunks().size(), 2U);
}

TEST_F(DraftTest, allocate_extends_the_file_unless_told_not_to) {
  const auto draft = new_draft();
  ASSERT_TRUE(draft->allocate(0, 10000, true));
  EXPECT_EQ(draft->size_bytes(), 0U);
  EXPECT_FALSE(draft->dirty());
  ASSERT_TRUE(draft->allocate(0, 10000, false));
  EXPECT_EQ(draft->size_bytes(), 10000U);
  EXPECT_TRUE(draft->dirty());
  EXPECT_EQ(read_all(*draft), std::vector<std::byte>(10000));
}

TEST_F(DraftTest, an_offset_past_the_largest_file_is_refused) {
  const auto draft = new_draft();
  const std::byte one{1};
  EXPECT_EQ(draft->write(~0ULL, ByteView(&one, 1)).error().code(), Errc::invalid_argument);
  EXPECT_EQ(draft->truncate(~0ULL).error().code(), Errc::invalid_argument);
}

// A limit on file sizes stands in for a full disk: the system call fails half-way with an error of the same kind.
TEST_F(DraftTest, a_write_that_the_local_disk_refuses_fails_and_leaves_what_was_there) {
  const Buffer bytes = random_bytes(2 * kChunk, 1);
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tight{3 * kChunk, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &tight);
  const auto refused = draft->write(2 * kChunk, random_bytes(4 * kChunk, 2).view());
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_FALSE(refused.has_value());
  EXPECT_EQ(draft->size_bytes(), bytes.size());
  EXPECT_EQ(published(seal(*draft)), to_vector(bytes.view()));
}

TEST_F(DraftTest, a_draft_can_go_while_its_chunks_are_under_way) {
  const auto gate = block_puts();
  auto draft = new_draft();
  write_sequentially(*draft, random_bytes(6 * kChunk, 1).view());
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  draft = nullptr;
  EXPECT_EQ(host_.memory().used_bytes(), 0U);
}

class DraftInLittleMemoryTest : public DraftTest {
 protected:
  DraftInLittleMemoryTest() : DraftTest({.memory_bytes = 5 * 2 * kChunk, .cache_bytes = 0}) {}
};

TEST_F(DraftInLittleMemoryTest, several_seals_that_read_their_bases_all_get_through) {
  std::vector<std::thread> hosts;
  for (uint64_t i = 0; i < 4; ++i) {
    hosts.emplace_back([this, i] {
      const Buffer base = random_bytes(12 * kChunk, i);
      std::vector<std::byte> expected = to_vector(base.view());
      const auto draft = draft_over(base.view());
      for (uint64_t chunk = 0; chunk < 12; ++chunk) {
        const std::byte one{static_cast<uint8_t>(chunk + 1)};
        ASSERT_TRUE(draft->write(chunk * kChunk + 99, ByteView(&one, 1)));
        expected[chunk * kChunk + 99] = one;
      }
      EXPECT_EQ(published(seal(*draft)), expected);
    });
  }
  for (std::thread& host : hosts) host.join();
  EXPECT_LE(host_.memory().peak_bytes(), host_.memory().limit_bytes());
}

// Draft against a plain vector of bytes.
class DraftModelTest : public DraftTest {
 protected:
  struct File {
    std::unique_ptr<Draft> draft;
    std::vector<std::byte> bytes;
  };

  File open_with_base(size_t size) {
    const Buffer base = random_bytes(size, size);
    return {draft_over(base.view()), to_vector(base.view())};
  }

  static void write(File& file, size_t offset, size_t length) {
    const Buffer bytes = random_bytes(length, offset * 31 + length);
    if (offset + length > file.bytes.size()) file.bytes.resize(offset + length);
    std::memcpy(file.bytes.data() + offset, bytes.data(), length);
    RC_ASSERT(file.draft->write(offset, bytes.view()).has_value());
  }
  static void truncate(File& file, size_t size) {
    file.bytes.resize(size);
    RC_ASSERT(file.draft->truncate(size).has_value());
  }
  static void punch(File& file, size_t offset, size_t length) {
    for (size_t i = offset; i < std::min(offset + length, file.bytes.size()); ++i) file.bytes[i] = std::byte{0};
    RC_ASSERT(file.draft->punch(offset, length).has_value());
  }
  // No byte outside what SEEK_DATA reports is anything but zero.
  static void check_holes(const File& file) {
    for (uint64_t at = 0; at < file.bytes.size();) {
      const uint64_t data = file.draft->seek_data(at).value_or(file.bytes.size());
      for (uint64_t i = at; i < data; ++i) RC_ASSERT(file.bytes[i] == std::byte{0});
      at = file.draft->seek_hole(data).value_or(file.bytes.size());
    }
  }
  void seal_and_check(File& file) {
    RC_ASSERT(published(seal(*file.draft)) == file.bytes);
    RC_ASSERT(!file.draft->dirty());
  }
  void step(File& file) {
    const auto offset = *rc::gen::inRange<size_t>(0, 6 * kChunk);
    const auto length = *rc::gen::inRange<size_t>(1, 2 * kChunk);
    switch (*rc::gen::inRange(0, 8)) {
      case 0: return truncate(file, offset);
      case 1: return punch(file, offset, length);
      case 2: return seal_and_check(file);
      case 3: return check_holes(file);
      case 4: return write(file, file.bytes.size(), length);  // append
      default: return write(file, offset, length);
    }
  }
};

TEST_F(DraftModelTest, any_sequence_of_changes_gives_what_a_plain_vector_gives) {
  const bool holds = rc::check([this] {
    File file = open_with_base(*rc::gen::inRange<size_t>(0, 5 * kChunk));
    const auto steps = *rc::gen::inRange(1, 25);
    for (int i = 0; i < steps; ++i) step(file);
    RC_ASSERT(read_all(*file.draft) == file.bytes);
    seal_and_check(file);
  });
  EXPECT_TRUE(holds);
}

// Four times the writes may cost four times as much, and more for deeper maps; what is quadratic costs sixteen times.
TEST_F(DraftTest, random_writes_cost_the_same_however_many_there_were) {
  const auto seconds_of = [this](uint64_t writes) {
    const auto begin = std::chrono::steady_clock::now();
    const auto draft = new_draft();
    EXPECT_TRUE(draft->note("written here and there"));
    const Buffer byte = random_bytes(1, 1);
    uint64_t seen = 0;
    for (uint64_t i = 0; i < writes; ++i) {
      EXPECT_TRUE(draft->write(i * 7919 % (2 * writes) * 2, byte.view()));
      seen += draft->data_bytes() + draft->size_bytes();
    }
    EXPECT_GT(seen, writes);
    EXPECT_TRUE(draft->keep("kept"));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const auto best_of = [&](uint64_t writes) {
    return std::min({seconds_of(writes), seconds_of(writes), seconds_of(writes)});
  };
  EXPECT_LT(best_of(80000), 11 * best_of(20000));
}

}  // namespace
}  // namespace cairn
