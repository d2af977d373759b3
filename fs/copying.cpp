// Bytes from one file into another, which nobody reads where they need not be.
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/posix_error.h"
#include "fs/errno.h"
#include "fs/store_file_system.h"

namespace cairn {

namespace {

constexpr size_t kPieceBytes = 1U << 20;
// Of bytes that are read and written in one call: whoever is to be let go waits for no more.
constexpr uint64_t kMostMoved = 64U << 20;
constexpr uint64_t kMaxFileBytes = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

bool is_over(const Draft& draft, const FileReader& source) {
  const FileReader* base = draft.bytes().base();
  return base != nullptr && same_bytes(base->version(), source.version());
}

bool overlap(uint64_t a, uint64_t b, uint64_t length) { return std::max(a, b) - std::min(a, b) < length; }

}  // namespace

Result<std::shared_ptr<FileReader>> FileBytes::published_reader(const RequestContext& context) {
  if (unpublished()) return nullptr;
  return reader(context);
}

// A new draft, where there is nothing but zeros so far; else the one that is there, whatever it is over.
Result<std::shared_ptr<Draft>> FileBytes::draft_over(const std::shared_ptr<FileReader>& source,
                                                     const RequestContext& context) {
  std::shared_ptr<Draft> before;
  bool is_blank = false;
  uint32_t user = 0;
  {
    const MutexLock lock(mutex_);
    before = draft_;
    user = last_user_;
    is_blank = draft_ ? draft_->is_blank() : !base_ || base_->size_bytes == 0;
  }
  if (!is_blank || (before && is_over(*before, *source))) return writable_draft(context);
  auto blank = Draft::open_blank(sources_.environment, sources_.reader, sources_.writer, source, user);
  if (!blank) return fail(as_io_error(std::move(blank).error()));
  const WriterLock nobody_writes(freezing_);  // to a draft that is about to go
  if (before && !before->is_blank()) return before;
  if (before) {
    if (auto sized = (*blank)->truncate(before->size_bytes()); !sized) return fail(std::move(sized).error());
  }
  return take_over(before, std::move(*blank));
}

// Of any size for nothing: only the layout changes. 0: it cannot be done.
Result<size_t> FileBytes::share(FileBytes& from, uint64_t offset, uint64_t length, const RequestContext& context) {
  auto source = from.published_reader(context);
  if (!source) return fail(std::move(source).error());
  if (!*source || offset >= (*source)->size_bytes()) return 0;
  const uint64_t count = std::min(length, (*source)->size_bytes() - offset);
  return change([&] { return draft_over(*source, context); },
                [&](Draft& draft) -> Result<size_t> {
                  if (!is_over(draft, **source)) return 0;
                  if (auto done = draft.restore(offset, count); !done)
                    return fail(as_io_error(std::move(done).error()));
                  touch();
                  return count;
                });
}

// A hole as a hole, or a piece of data.
Result<size_t> FileBytes::copy_step(FileBytes& from, uint64_t from_offset, uint64_t offset, uint64_t length,
                                    MutableByteView piece, const RequestContext& context) {
  if (auto alive = context.check(); !alive) return fail(std::move(alive).error());
  const auto data = from.seek(from_offset, SEEK_DATA, context);
  if (!data && data.error().posix() != ENXIO) return fail(data.error());
  const uint64_t hole_end = data ? *data : std::max(from_offset, from.size_bytes());
  if (hole_end > from_offset) {
    const uint64_t count = std::min(length, hole_end - from_offset);
    auto zeros = allocate(FALLOC_FL_ZERO_RANGE, offset, count, context);
    if (!zeros) return fail(std::move(zeros).error());
    return count;
  }
  const auto count = from.read(from_offset, piece.first(std::min<uint64_t>(piece.size(), length)), context);
  if (!count || *count == 0) return count;
  return write(offset, ByteView(piece).first(*count), context);
}

Result<size_t> FileBytes::copy(FileBytes& from, uint64_t from_offset, uint64_t offset, uint64_t length,
                               const RequestContext& context) {
  if (from_offset == offset) {
    auto shared = share(from, offset, length, context);
    if (!shared || *shared > 0) return shared;
  }
  Buffer piece(std::min<uint64_t>(kPieceBytes, length));
  uint64_t done = 0;
  for (uint64_t moved = 0; done < length && moved < kMostMoved;) {
    auto step = copy_step(from, from_offset + done, offset + done, length - done, piece.mutable_view(), context);
    if (!step && done == 0) return step;
    if (!step || *step == 0) break;
    done += *step;
    moved += std::min(*step, kPieceBytes);
  }
  return done;
}

Result<size_t> StoreFileSystem::copy(HandleId from, uint64_t from_offset, HandleId to, uint64_t to_offset,
                                     uint64_t length, const RequestContext& context) {
  auto source = files_.find(from);
  if (!source) return fail(std::move(source).error());
  auto target = files_.find(to);
  if (!target) return fail(std::move(target).error());
  if (!(*target)->writable || (*target)->append) return fail_posix(EBADF, "not open for writing at an offset");
  if (from_offset > kMaxFileBytes || to_offset > kMaxFileBytes) return fail_posix(EINVAL, "past the largest file");
  if (length > kMaxFileBytes - to_offset) return fail_posix(EFBIG, "past the largest file");
  const bool same_file = (*source)->node == (*target)->node;
  if (same_file && overlap(from_offset, to_offset, length)) return fail_posix(EINVAL, "it would overlap itself");
  if (length == 0) return 0;
  auto copied = (*target)->bytes->copy(*(*source)->bytes, from_offset, to_offset, length, context);
  if (copied && *copied > 0) changed(**target);
  return copied;
}

}  // namespace cairn
