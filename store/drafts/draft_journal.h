// What a draft's layout becomes while it is written, for whoever looks after a crash.
#pragma once

#include <string_view>

#include "cache/staging_area.h"
#include "store/drafts/draft_layout.h"

namespace cairn {

// Follows the note of a staging file with one small record for each change of the layout; writes that go on where the
// last one ended share a record. Without fsync: it survives the process, not the machine.
// Thread-safety: none; the changes are recorded in the order in which the layout took them.
// Failures: a record that finds no room is lost, and with it what a crash would leave of these bytes; where that
//   must not be, it is said.
class DraftJournal {
 public:
  explicit DraftJournal(StagingFile& staging) : staging_(staging) {}

  void wrote(uint64_t offset, uint64_t length);
  void punched(uint64_t offset, uint64_t length);
  void truncated(uint64_t size_bytes);
  void restored(uint64_t offset, uint64_t length);
  // Before the bytes are given back. Failures: no_space, io.
  Result<void> sent(const ChunkRef& chunk);
  // The staging file has been noted anew, with the layout as it is now.
  void restart();

  // Does to `layout`, which the note told, what the log says.
  static void replay(std::string_view log, DraftLayout& layout);

 private:
  enum class Kind : uint64_t { write = 1, punch = 2, truncate = 3, restore = 4, sent = 5 };
  struct Record {
    uint64_t kind = 0;
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  // Takes the place of some records; the first of them is one.
  struct SentRecord {
    Record head;
    ChunkId id;
    Checksum checksum;
  };
  static_assert(sizeof(SentRecord) % sizeof(Record) == 0);
  static constexpr size_t kSentRecords = sizeof(SentRecord) / sizeof(Record);

  void add(const Record& record);
  static void replay_sent(std::string_view log, DraftLayout& layout);

  StagingFile& staging_;
  uint64_t records_ = 0;
  Record last_;
};

}  // namespace cairn
