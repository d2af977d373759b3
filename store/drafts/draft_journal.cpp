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
  }
}

}  // namespace cairn
