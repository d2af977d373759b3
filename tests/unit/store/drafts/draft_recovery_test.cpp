#include "store/chunks/manifest_objects.h"
#include "store/drafts/draft_description.h"
#include "store/drafts/kept_draft.h"
#include "tests/unit/store/drafts/draft_fixture.h"

namespace cairn {
namespace {

constexpr uint32_t kChunk = 64U << 10;

// One host before and after a restart: the staging directory stays.
class DraftRecoveryTest : public testing::Test {
 protected:
  struct Host {
    explicit Host(TestStore& store, std::shared_ptr<TemporaryDirectory> staging)
        : world(store.objects(), {}, std::move(staging)), reader(world.environment()), writer(world.environment()) {}
    TestEnvironment world;
    ChunkReader reader;
    ChunkWriter writer;

    std::unique_ptr<Draft> draft_over(VersionPtr version) {
      auto base = FileReader::open(world.environment(), reader, std::move(version), test_context()).value();
      return Draft::open(world.environment(), reader, writer, std::move(base)).value();
    }
    struct Recovered {
      std::string identity;
      std::unique_ptr<Draft> draft;
    };
    std::vector<KeptDraft> found() { return take_kept_drafts(world.environment().staging, kChunk).value(); }
    // Those whose base can be opened.
    std::vector<Recovered> recover() {
      std::vector<Recovered> recovered;
      for (KeptDraft& kept : found()) {
        auto draft = open_kept_draft(world.environment(), reader, writer, kept, test_context());
        if (draft) recovered.push_back({kept.description.identity, std::move(*draft)});
      }
      return recovered;
    }
  };

  void restart() {
    host_ = nullptr;
    host_ = std::make_unique<Host>(store_, staging_);
  }

  TestStore store_{kChunk};
  std::shared_ptr<TemporaryDirectory> staging_ = std::make_shared<TemporaryDirectory>();
  std::unique_ptr<Host> host_ = std::make_unique<Host>(store_, staging_);
};

std::vector<std::byte> content_of(Draft& draft) {
  std::vector<std::byte> out(draft.size_bytes());
  EXPECT_EQ(draft.read(0, out, test_context()).value(), out.size());
  return out;
}

TEST_F(DraftRecoveryTest, a_kept_draft_comes_back_with_its_base_its_writes_and_its_identity) {
  const Buffer base = random_bytes(3 * kChunk, 1);
  auto draft = host_->draft_over(put_file(store_, base.view()));
  ASSERT_TRUE(draft->write(kChunk + 5, random_bytes(3 * kChunk, 2).view()));
  ASSERT_TRUE(draft->punch(100, 50));
  ASSERT_TRUE(draft->truncate(4 * kChunk));
  const auto expected = content_of(*draft);
  ASSERT_TRUE(draft->keep(R"({"path": "a/b"})"));
  draft = nullptr;
  restart();

  auto recovered = host_->recover();
  ASSERT_EQ(recovered.size(), 1U);
  EXPECT_EQ(recovered[0].identity, R"({"path": "a/b"})");
  EXPECT_TRUE(recovered[0].draft->dirty());
  EXPECT_EQ(content_of(*recovered[0].draft), expected);
  EXPECT_TRUE(recovered[0].draft->seal(test_context()).has_value());
}

TEST_F(DraftRecoveryTest, a_released_draft_does_not_come_back) {
  auto draft = host_->draft_over(put_file(store_, random_bytes(kChunk, 1).view()));
  ASSERT_TRUE(draft->keep("x"));
  draft->release();
  draft = nullptr;
  restart();
  EXPECT_TRUE(host_->recover().empty());
}

TEST_F(DraftRecoveryTest, a_draft_that_was_not_kept_does_not_come_back) {
  auto draft = host_->draft_over(put_file(store_, random_bytes(kChunk, 1).view()));
  ASSERT_TRUE(draft->write(0, random_bytes(10, 1).view()));
  draft = nullptr;
  restart();
  EXPECT_TRUE(host_->recover().empty());
}

TEST_F(DraftRecoveryTest, a_recovered_draft_stays_kept_until_it_is_released) {
  auto draft = host_->draft_over(version_of(SharedBuffer(), 0));
  ASSERT_TRUE(draft->write(0, random_bytes(10, 1).view()));
  ASSERT_TRUE(draft->keep("x"));
  draft = nullptr;
  restart();
  EXPECT_EQ(host_->recover().size(), 1U);
  restart();
  EXPECT_EQ(host_->recover().size(), 1U);
}

TEST_F(DraftRecoveryTest, a_draft_whose_base_cannot_be_opened_now_stays_kept_for_the_next_start) {
  const Manifest manifest(5 * kChunk, {});
  const Digest id = put_manifest(host_->world.environment(), manifest, test_context()).value();
  auto draft = host_->draft_over(version_of(id, 5 * kChunk));
  ASSERT_TRUE(draft->keep("x"));
  draft = nullptr;
  ASSERT_TRUE(store_.objects().remove({keys::manifest(id)}, test_context()));
  restart();
  EXPECT_TRUE(host_->recover().empty());
  ASSERT_TRUE(put_manifest(host_->world.environment(), manifest, test_context()));
  restart();
  EXPECT_EQ(host_->recover().size(), 1U);
}

TEST(DraftDescriptionTest, what_earlier_versions_wrote_is_read) {
  const auto read = parse_draft(
      R"({"identity": "me", "size": 30, "base_limit": 0, "extents": [[0, 10, true], [20, 30, false]]})", kChunk);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->store_id, "");
  EXPECT_EQ(read->layout.extents(), (DraftLayout::Extents{{0, {10, true}}, {20, {30, false}}}));
}

TEST(DraftDescriptionTest, a_million_extents_come_back_as_they_were) {
  DraftLayout layout(0);
  for (uint64_t i = 0; i < 1000000; ++i) layout.write(i * 8192, 1);
  layout.punch(0, 1);
  EXPECT_EQ(layout.staged_bytes(), 999999U);
  const auto read = parse_draft(describe_draft({"store", "me", layout, nullptr}, kChunk), kChunk);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->layout.extents(), layout.extents());
  EXPECT_EQ(read->layout.staged_bytes(), 999999U);
}

// Of a process that has died: only what it logged is left.
class LogOnly final : public StagingFile {
 public:
  [[nodiscard]] int fd() const override { return -1; }
  [[nodiscard]] uint64_t number() const override { return 1; }
  Result<void> note(std::string_view) override { return {}; }
  Result<void> log(uint64_t position, ByteView record) override {
    text.resize(std::max<size_t>(text.size(), position + record.size()));
    std::memcpy(text.data() + position, record.data(), record.size());
    return {};
  }
  Result<void> keep(std::string_view) override { return {}; }
  Result<void> keep_briefly(std::string_view) override { return {}; }
  void count(uint64_t) override {}
  Result<void> move_to(const std::string&) override { return {}; }
  [[nodiscard]] uint32_t user() const override { return 0; }
  void belongs_to(uint32_t) override {}
  void release() override {}

  std::string text;
};

TEST(DraftJournalTest, what_came_from_the_version_below_is_known_after_a_crash) {
  LogOnly left;
  DraftJournal journal(left);
  journal.restored(0, 2 * kChunk);
  journal.wrote(10, 100);
  journal.wrote(110, 100);
  DraftLayout expected;
  expected.restore(0, 2 * kChunk);
  expected.write(10, 200);
  DraftLayout layout;
  DraftJournal::replay(left.text, layout);
  EXPECT_EQ(layout.extents(), expected.extents());
  EXPECT_EQ(layout.base_limit(), expected.base_limit());
}

TEST(DraftDescriptionTest, what_was_sent_comes_back_as_it_was_and_older_versions_refuse_it) {
  DraftLayout layout(0);
  layout.write(0, 3000);
  const ChunkRef chunk{1000, 1000, sha256(as_bytes("id")), xxh3_128(as_bytes("bytes"))};
  layout.sent(std::make_shared<const ChunkRef>(chunk));
  layout.write(1200, 100);
  const std::string text = describe_draft({"store", "me", layout, nullptr}, kChunk);
  const auto read = parse_draft(text, kChunk);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->layout.extents(), layout.extents());
  EXPECT_EQ(read->layout.sent_bytes(), 900U);
  EXPECT_NE(text.find("\"format\":3"), std::string::npos);
}

TEST_F(DraftRecoveryTest, a_fork_and_what_it_was_forked_from_change_apart) {
  auto draft = host_->draft_over(put_file(store_, random_bytes(3 * kChunk, 1).view()));
  ASSERT_TRUE(draft->write(10, random_bytes(2 * kChunk, 2).view()));
  const auto expected = content_of(*draft);
  auto fork = draft->fork(0, test_context()).value();
  EXPECT_GT(fork->number(), draft->number());
  EXPECT_TRUE(fork->dirty());
  EXPECT_EQ(content_of(*fork), expected);
  ASSERT_TRUE(fork->write(0, random_bytes(kChunk, 3).view()));
  ASSERT_TRUE(fork->truncate(2 * kChunk));
  EXPECT_EQ(content_of(*draft), expected);
}

TEST(DraftDescriptionTest, damage_is_corrupt) {
  DraftLayout layout(0);
  layout.write(10, 20);
  const std::string good = describe_draft({"store", "me", layout, nullptr}, kChunk);
  ASSERT_TRUE(parse_draft(good, kChunk).has_value());
  EXPECT_EQ(parse_draft("", kChunk).error().code(), Errc::corrupt);
  EXPECT_EQ(parse_draft("{}", kChunk).error().code(), Errc::corrupt);
  EXPECT_EQ(parse_draft(good.substr(0, good.size() - 2), kChunk).error().code(), Errc::corrupt);
  const DraftLayout overlapping(30, 0, {{0, {20, true}}, {10, {30, true}}});
  EXPECT_EQ(parse_draft(describe_draft({"store", "me", overlapping, nullptr}, kChunk), kChunk).error().code(),
            Errc::corrupt);
  const DraftLayout without_base(30, 20, {});
  EXPECT_EQ(parse_draft(describe_draft({"store", "me", without_base, nullptr}, kChunk), kChunk).error().code(),
            Errc::corrupt);
}

}  // namespace
}  // namespace cairn
