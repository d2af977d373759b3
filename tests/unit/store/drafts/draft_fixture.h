// A host, its store, and the drafts of one file.
#pragma once

#include <gtest/gtest.h>

#include "store/drafts/draft.h"
#include "tests/support/faulty_object_store.h"
#include "tests/unit/store/stored_files.h"

namespace cairn {

class DraftTest : public testing::Test {
 protected:
  static constexpr uint32_t kChunk = 64U << 10;

  explicit DraftTest(const TestEnvironmentOptions& options = {}) : host_(remote_, options) {}

  std::shared_ptr<FileReader> open_file(VersionPtr version) {
    return FileReader::open(host_.environment(), reader_, std::move(version), test_context()).value();
  }
  std::unique_ptr<Draft> draft_of(std::shared_ptr<FileReader> base) {
    return Draft::open(host_.environment(), reader_, writer_, std::move(base)).value();
  }
  std::unique_ptr<Draft> new_draft() { return draft_of(nullptr); }
  std::unique_ptr<Draft> draft_over(ByteView content) { return draft_of(open_file(put_file(store_, content))); }

  static void write_sequentially(Draft& draft, ByteView bytes, size_t piece = 16U << 10) {
    for (size_t at = 0; at < bytes.size(); at += piece) {
      ASSERT_TRUE(draft.write(at, bytes.subspan(at, std::min(piece, bytes.size() - at))));
    }
  }
  static std::vector<std::byte> read_all(Draft& draft) {
    std::vector<std::byte> out(draft.size_bytes());
    EXPECT_EQ(draft.read(0, out, test_context()).value(), out.size());
    return out;
  }
  static StoredContent seal(Draft& draft) { return draft.seal(test_context(Cause::write_back)).value(); }
  // What another host sees of it.
  std::vector<std::byte> published(const StoredContent& sealed) {
    const auto file = open_file(version_of(sealed.content, sealed.size_bytes));
    std::vector<std::byte> out(sealed.size_bytes);
    EXPECT_EQ(file->read(0, out, test_context()).value(), out.size());
    return out;
  }
  static const Manifest& manifest_of(const StoredContent& sealed) { return *std::get<ManifestPtr>(sealed.content); }

  uint64_t puts() const { return remote_.count(ObjectOperation::put_if_absent, keys::kChunks); }
  uint64_t fetches() const { return remote_.count(ObjectOperation::get, keys::kChunks); }
  std::shared_ptr<Gate> block_puts() { return remote_.block(ObjectOperation::put_if_absent, keys::kChunks); }

  TestStore store_{kChunk};
  FaultyObjectStore remote_{store_.objects()};
  TestEnvironment host_;
  ChunkReader reader_{host_.environment()};
  ChunkWriter writer_{host_.environment()};
};

}  // namespace cairn
