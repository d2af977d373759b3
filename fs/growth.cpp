#include "fs/growth.h"

#include <algorithm>
#include <limits>

namespace cairn {

namespace {

constexpr uint64_t kMostCompared = 8 << 20;
constexpr uint64_t kPiece = 256 << 10;

// Up to where both files consist of the same chunks and holes.
uint64_t shared_bytes(const FileReader& from, const FileReader& to) {
  if (from.is_inline() || to.is_inline()) return 0;
  const auto& a = from.manifest().chunks();
  const auto& b = to.manifest().chunks();
  const auto [first_a, first_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const uint64_t end_a = first_a == a.end() ? from.size_bytes() : first_a->offset;
  const uint64_t end_b = first_b == b.end() ? to.size_bytes() : first_b->offset;
  return std::min(end_a, end_b);
}

Result<bool> same_stretch(FileReader& from, FileReader& to, uint64_t begin, uint64_t end,
                          const RequestContext& context) {
  Buffer left(kPiece);
  Buffer right(kPiece);
  for (uint64_t at = begin; at < end; at += kPiece) {
    const size_t size = std::min(kPiece, end - at);
    auto a = from.read(at, left.mutable_view().first(size), context);
    if (!a) return fail(std::move(a).error());
    auto b = to.read(at, right.mutable_view().first(size), context);
    if (!b) return fail(std::move(b).error());
    if (*a != size || *b != size || !std::ranges::equal(left.view().first(size), right.view().first(size)))
      return false;
  }
  return true;
}

}  // namespace

Result<bool> only_grows(const ByteSources& sources, const VersionPtr& from, const VersionPtr& to,
                        const RequestContext& context) {
  if (!to) return false;
  if (!from || from->size_bytes == 0) return true;
  if (to->size_bytes <= from->size_bytes) return false;
  const RequestContext aside = context.with_cause(Cause::maintenance);  // shapes no prefetch
  auto before = FileReader::open(sources.environment, sources.reader, from, aside);
  if (!before) return fail(std::move(before).error());
  auto after = FileReader::open(sources.environment, sources.reader, to, aside);
  if (!after) return fail(std::move(after).error());
  const uint64_t shared = shared_bytes(**before, **after);
  if (from->size_bytes - std::min(shared, from->size_bytes) > kMostCompared) return false;
  return same_stretch(**before, **after, shared, from->size_bytes, aside);
}

}  // namespace cairn
