#include "store/drafts/draft_seal.h"

#include <algorithm>
#include <utility>

#include "store/chunks/manifest_objects.h"
#include "store/format/record.h"

namespace cairn {

namespace {

// How many chunks of the base are on their way while one is waited for.
constexpr size_t kBaseFetchesAhead = 4;

}  // namespace

DraftSeal::DraftSeal(const DraftParts& parts, const RequestContext& context)
    : parts_(parts), context_(context.with_cause(Cause::write_back)), layout_(parts.bytes.layout()) {}

Result<StoredContent> DraftSeal::run() {
  if (is_base()) return content_of_base();
  return layout_.size_bytes() <= kMaxInlineBytes ? seal_inline() : seal_chunks();
}

// Nothing but the bytes of the base, and all of them: a copy of a whole version, say.
bool DraftSeal::is_base() const {
  const uint64_t size = layout_.size_bytes();
  return parts_.bytes.base() != nullptr && parts_.bytes.base()->size_bytes() == size &&
         layout_.is_all(DraftLayout::Source::base, 0, size);
}

// That is in the store, chunk list and all, and none of it need be looked at.
StoredContent DraftSeal::content_of_base() const {
  const FileReader& base = *parts_.bytes.base();
  StoredContent sealed = static_cast<const StoredContent&>(*base.version());
  sealed.chunks_new = 0;
  sealed.chunks_shared = static_cast<uint32_t>(base.manifest().chunks().size());
  sealed.stored_bytes = 0;
  return sealed;
}

Result<StoredContent> DraftSeal::seal_inline() {
  Buffer content(layout_.size_bytes());
  auto count = read(0, content.mutable_view());
  if (!count) return fail(std::move(count).error());
  StoredContent sealed;
  sealed.size_bytes = content.size();
  sealed.content = std::make_shared<const Buffer>(std::move(content));
  return sealed;
}

// Chunks, then the manifest that lists them, and neither is named before the caller's commit: whatever a crash in
// between leaves is unreferenced, and found again by the next try.
Result<StoredContent> DraftSeal::seal_chunks() {
  const PlanSource source{.read = [this](uint64_t offset, MutableByteView out) -> Result<size_t> {
                            if (auto live = context_.check(); !live) return fail(std::move(live).error());
                            return read(offset, out);
                          },
                          .next_data =
                              [this](uint64_t offset) {
                                return layout_.seek_data(offset, parts_.bytes.base()).value_or(layout_.size_bytes());
                              }};
  auto plan = plan_segments(source, layout_.size_bytes(), true, parts_.environment.format.chunk_size);
  if (!plan) return fail(plan.error().in("find the tensors"));
  list_slots(*plan);
  if (auto stored = store_unread(); !stored) return fail(std::move(stored).error());
  return collect();
}

// Such a draft is dirty again, so this content is not its last.
Result<size_t> DraftSeal::read(uint64_t offset, MutableByteView out) const {
  return read_draft(parts_.bytes, layout_.size_bytes(), offset, out, context_);
}

void DraftSeal::list_slots(const SegmentPlan& plan) {
  const uint32_t chunk_size = parts_.environment.format.chunk_size;
  auto data = layout_.seek_data(0, parts_.bytes.base());
  while (data) {
    const PlannedChunk cut = planned_chunk_at(plan, layout_.size_bytes(), chunk_size, *data);
    Slot& slot = slots_.emplace_back(Slot{cut, Unread{}});
    if (auto chunk = parts_.chunks.find(cut)) {
      slot.from = std::move(chunk);
    } else if (const ChunkRef* ref = unchanged(cut)) {
      slot.from = *ref;
    }
    data = layout_.seek_data(cut.offset + cut.size, parts_.bytes.base());
  }
}

// The base's chunk, or one that was sent before, if it is cut in the same way and nothing was written over it.
const ChunkRef* DraftSeal::unchanged(const PlannedChunk& cut) const {
  const uint64_t end = cut.offset + cut.size;
  const DraftLayout::Piece piece = layout_.piece_at(cut.offset);
  const ChunkRef* ref = nullptr;
  if (piece.source == DraftLayout::Source::sent && piece.end() >= end) {
    ref = piece.chunk.get();
  } else if (parts_.bytes.base() != nullptr && layout_.is_all(DraftLayout::Source::base, cut.offset, end)) {
    const Manifest& base = parts_.bytes.base()->manifest();
    const size_t index = base.index_at(cut.offset);
    if (index < base.chunks().size()) ref = &base.chunks()[index];
  }
  return ref != nullptr && ref->offset == cut.offset && ref->size == cut.size ? ref : nullptr;
}

Result<void> DraftSeal::store_unread() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!std::holds_alternative<Unread>(slot.from)) continue;
    // Some cuts ahead, so that their base chunks are on their way while this one is read.
    start_base_fetches(i);
    if (auto stored = store(slot); !stored) return stored;
  }
  return {};
}

void DraftSeal::start_base_fetches(size_t from) {
  if (parts_.bytes.base() == nullptr) return;
  const Manifest& base = parts_.bytes.base()->manifest();
  const size_t until = std::min(slots_.size(), from + kBaseFetchesAhead);
  for (size_t i = from; i < until; ++i) {
    const PlannedChunk& cut = slots_[i].cut;
    if (!std::holds_alternative<Unread>(slots_[i].from) ||
        !layout_.has_any(DraftLayout::Source::base, cut.offset, cut.offset + cut.size))
      continue;
    for (size_t at = base.index_at(cut.offset); at < base.chunks().size(); ++at) {
      const ChunkRef& ref = base.chunks()[at];
      if (ref.offset >= cut.offset + cut.size) break;
      const bool wanted = layout_.has_any(DraftLayout::Source::base, std::max(ref.offset, cut.offset),
                                          std::min(ref.end(), cut.offset + cut.size));
      if (wanted && !parts_.reader.is_local(ref)) parts_.reader.prefetch(ref, [](const Result<SharedBuffer>&) {});
    }
  }
}

Result<void> DraftSeal::store(Slot& slot) {
  auto chunk = store_cut(parts_, slot.cut, layout_.size_bytes(), context_);
  if (!chunk) return fail(std::move(chunk).error());
  slot.from = std::move(*chunk);
  slot.tried = true;
  return {};
}

// A chunk that was sent while the file was being written may have failed for a reason that has passed: try once more.
Result<std::optional<StoredChunk>> DraftSeal::outcome_of(Slot& slot) {
  if (const auto* ref = std::get_if<ChunkRef>(&slot.from)) return StoredChunk{*ref, false, 0};
  auto outcome = parts_.chunks.wait(std::get<DraftChunks::ChunkPtr>(slot.from), context_);
  if (outcome || slot.tried) return outcome;
  if (auto stored = store(slot); !stored) return fail(std::move(stored).error());
  return parts_.chunks.wait(std::get<DraftChunks::ChunkPtr>(slot.from), context_);
}

Result<StoredContent> DraftSeal::collect() {
  StoredContent sealed;
  sealed.size_bytes = layout_.size_bytes();
  sealed.hole_bytes = sealed.size_bytes;
  std::vector<ChunkRef> refs;
  for (Slot& slot : slots_) {
    auto stored = outcome_of(slot);
    if (!stored) return fail(std::move(stored).error());
    if (!*stored) continue;
    refs.push_back((*stored)->ref);
    sealed.hole_bytes -= (*stored)->ref.size;
    ++((*stored)->was_new ? sealed.chunks_new : sealed.chunks_shared);
    sealed.stored_bytes += (*stored)->stored_bytes;
  }
  auto content = list_in_store(Manifest(sealed.size_bytes, std::move(refs)));
  if (!content) return fail(std::move(content).error());
  sealed.content = std::move(*content);
  return sealed;
}

Result<Content> DraftSeal::list_in_store(Manifest manifest) {
  if (manifest.chunks().size() <= kMaxInlineChunks) return std::make_shared<const Manifest>(std::move(manifest));
  auto id = put_manifest(parts_.environment, manifest, context_);
  if (!id) return fail(std::move(id).error());
  return *id;
}

}  // namespace cairn
