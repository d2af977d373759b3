#include "store/check/check_chunks.h"

#include <algorithm>
#include <tuple>

#include "base/parallel.h"
#include "store/codec/chunk_codec.h"
#include "store/format/keys.h"

namespace cairn {

namespace {

constexpr size_t kFolders = 256;
constexpr size_t kPageObjects = 1000;
constexpr size_t kCompactAfter = 1U << 20;

// Of a Use, in a table that doubles when it is full.
constexpr uint64_t kUseBytes = 2 * 64;

constexpr const char* kAdvice =
    "the file cannot be read whole; write it again from another copy, or go back to an earlier version in .versions";

}  // namespace

void ChunkCheck::add(const std::vector<ChunkRef>& chunks, const std::string& path) {
  if (chunks.empty()) return;
  ledger_.remember(chunks.size() * kUseBytes + path.size());
  if (ledger_.stopped()) return;
  if (paths_.empty() || paths_.back() != path) paths_.push_back(path);
  const auto index = static_cast<uint32_t>(paths_.size() - 1);
  for (const ChunkRef& chunk : chunks) uses_.push_back({chunk.id, chunk.size, chunk.checksum, index});
  if (uses_.size() - compacted_ > kCompactAfter + compacted_) compact();
}

void ChunkCheck::compact() {
  const auto description = [](const Use& use) { return std::tie(use.id, use.size, use.checksum); };
  const auto less = [&](const Use& a, const Use& b) { return description(a) < description(b); };
  const auto equal = [&](const Use& a, const Use& b) { return description(a) == description(b); };
  std::sort(uses_.begin(), uses_.end(), less);
  const size_t before = uses_.size();
  uses_.erase(std::unique(uses_.begin(), uses_.end(), equal), uses_.end());
  ledger_.forget((before - uses_.size()) * kUseBytes);
  compacted_ = uses_.size();
}

void ChunkCheck::run(bool read_data) {
  compact();
  find_contradictions();
  ledger_.expect_objects(uses_.size());
  run_in_parallel(workers_, kFolders, kCheckHelpers, [this](size_t folder) { compare_folder(folder); });
  if (!read_data) return;
  ledger_.expect_objects(uses_.size());
  run_in_parallel(workers_, uses_.size(), kCheckHelpers, [this](size_t i) {
    if (!ledger_.stopped()) verify(uses_[i]);
  });
}

void ChunkCheck::find_contradictions() {
  for (size_t i = 1; i < uses_.size(); ++i) {
    if (uses_[i].id == uses_[i - 1].id) report(uses_[i], "two manifests describe this chunk differently");
  }
}

std::span<const ChunkCheck::Use> ChunkCheck::uses_in(size_t folder) const {
  const auto first_of = [this](size_t wanted) {
    return std::partition_point(uses_.begin(), uses_.end(),
                                [wanted](const Use& use) { return std::to_integer<size_t>(use.id.bytes[0]) < wanted; });
  };
  return {first_of(folder), first_of(folder + 1)};
}

// Walks the listing of one folder and the uses that belong there side by side: both are in order of the digest.
void ChunkCheck::compare_folder(size_t folder) {
  const std::string prefix = fmt::format("{}{:02x}/", keys::kChunks, folder);
  std::span<const Use> uses = uses_in(folder);
  std::string after;
  for (bool more = true; more && !ledger_.stopped();) {
    const auto page = objects_.list(prefix, after, kPageObjects, context_);
    if (!page) return ledger_.stop(page.error());
    for (const ObjectInfo& object : page->objects) uses = compare_object(object, uses);
    more = page->more && !page->objects.empty();
    if (more) after = page->objects.back().key;
  }
  for (const Use& use : uses) confirm_missing(use);
}

// `uses` are the chunks that the listing has not reached before this object. Answers with the ones after `object`; the
// ones before it are in no object.
std::span<const ChunkCheck::Use> ChunkCheck::compare_object(const ObjectInfo& object, std::span<const Use> uses) {
  ChunkId id;
  if (!keys::parse_chunk(object.key, &id)) return uses;
  for (; !uses.empty() && uses.front().id < id; uses = uses.subspan(1)) confirm_missing(uses.front());
  const bool is_used = !uses.empty() && uses.front().id == id;
  ledger_.count([&](CheckReport& report) {
    ++(is_used ? report.chunks : report.unreferenced_chunks);
    (is_used ? report.chunk_bytes : report.unreferenced_bytes) += object.size_bytes;
  });
  for (; !uses.empty() && uses.front().id == id; uses = uses.subspan(1)) compare_present(object, uses.front());
  return uses;
}

void ChunkCheck::compare_present(const ObjectInfo& object, const Use& use) {
  ledger_.done_object(0);
  const bool can_be = object.size_bytes > kChunkHeaderBytes && object.size_bytes <= kChunkHeaderBytes + use.size;
  if (!can_be) report(use, fmt::format("the object of {} bytes cannot hold {}", object.size_bytes, use.size));
}

// A listing may be older than the record that names the chunk: the store is asked again before the chunk is called
// lost.
void ChunkCheck::confirm_missing(const Use& use) {
  if (ledger_.stopped()) return;
  ledger_.done_object(0);
  const auto info = objects_.head(keys::chunk(use.id), context_);
  if (info) {
    compare_present(*info, use);
  } else if (ledger_.is_damage(info.error())) {
    report(use, "the chunk is missing");
  }
}

Result<uint64_t> ChunkCheck::read_and_check(const Use& use) {
  auto object = objects_.get(keys::chunk(use.id), {.most_bytes = kChunkHeaderBytes + use.size}, context_);
  if (!object) return fail(object.error());
  const uint64_t object_bytes = object->size();
  const auto plain = decode_chunk(std::move(*object), use.size);
  if (!plain) return fail(plain.error());
  if (sha256(plain->view()) != use.id) return fail(Errc::corrupt, "its bytes are not those that its name says");
  if (xxh3_128(plain->view()) != use.checksum) return fail(Errc::corrupt, "the manifest has another checksum for it");
  return object_bytes;
}

void ChunkCheck::verify(const Use& use) {
  auto checked = read_and_check(use);
  // Once more: the bytes may have been damaged on their way.
  if (!checked && checked.error().code() == Errc::corrupt) checked = read_and_check(use);
  ledger_.done_object(checked.value_or(0));
  // A missing chunk was reported when the listings were compared.
  if (checked || checked.error().code() == Errc::not_found || !ledger_.is_damage(checked.error())) return;
  report(use, checked.error().message());
}

void ChunkCheck::report(const Use& use, const std::string& what) {
  ledger_.find({.loss = true,
                .object = keys::chunk(use.id),
                .path = paths_[use.path],
                .message = fmt::format("{}: {}", what, kAdvice)});
}

}  // namespace cairn
