#include "store/drafts/draft_journal.h"

#include <cstring>

namespace cairn {

void DraftJournal::wrote(uint64_t offset, uint64_t length) {
  const bool goes_on = records_ > 0 && last_.kind == static_cast<uint64_t>(Kind::write) && last_.end == offset;
  if (goes_on) --records_;
  add({static_cast<uint64_t>(Kind::write), goes_on ? last_.begin : offset, offset + length});
}

void DraftJournal::punched(uint64_t offset, uint64_t length) {
  add({static_cast<uint64_t>(Kind::punch), offset, offset + length});
}

void DraftJournal::truncated(uint64_t size_bytes) { add({static_cast<uint64_t>(Kind::truncate), 0, size_bytes}); }

void DraftJournal::restored(uint64_t offset, uint64_t length) {
  add({static_cast<uint64_t>(Kind::restore), offset, offset + length});
}

Result<void> DraftJournal::sent(const ChunkRef& chunk) {
  const SentRecord record{{static_cast<uint64_t>(Kind::sent), chunk.offset, chunk.end()}, chunk.id, chunk.checksum};
  auto logged = staging_.log(records_ * sizeof(Record), std::as_bytes(std::span(&record, 1)));
  last_ = record.head;
  records_ += kSentRecords;
  return logged;
}

void DraftJournal::restart() { records_ = 0; }

void DraftJournal::add(const Record& record) {
  last_ = record;
  // This machine's own byte order will do: nobody else reads it.
  (void)staging_.log(records_ * sizeof(Record), std::as_bytes(std::span(&record, 1)));
  ++records_;
}

void DraftJournal::replay(std::string_view log, DraftLayout& layout) {
  for (; log.size() >= sizeof(Record); log.remove_prefix(sizeof(Record))) {
    Record record;
    std::memcpy(&record, log.data(), sizeof(record));
    if (record.end < record.begin) return;
    const uint64_t length = record.end - record.begin;
    if (record.kind == static_cast<uint64_t>(Kind::write)) layout.write(record.begin, length);
    if (record.kind == static_cast<uint64_t>(Kind::punch)) layout.punch(record.begin, length);
    if (record.kind == static_cast<uint64_t>(Kind::truncate)) layout.truncate(record.end);
    if (record.kind == static_cast<uint64_t>(Kind::restore)) layout.restore(record.begin, length);
    if (record.kind != static_cast<uint64_t>(Kind::sent)) continue;
    if (log.size() < sizeof(SentRecord)) return;
    replay_sent(log, layout);
    log.remove_prefix(sizeof(SentRecord) - sizeof(Record));
  }
}

void DraftJournal::replay_sent(std::string_view log, DraftLayout& layout) {
  SentRecord record;
  std::memcpy(&record, log.data(), sizeof(record));
  const auto size_bytes = static_cast<uint32_t>(record.head.end - record.head.begin);
  layout.sent(std::make_shared<const ChunkRef>(ChunkRef{record.head.begin, size_bytes, record.id, record.checksum}));
}

}  // namespace cairn
