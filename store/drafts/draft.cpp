#include "store/drafts/draft.h"

#include <cerrno>
#include <limits>
#include <utility>

#include "store/drafts/draft_description.h"
#include "store/drafts/draft_spill.h"

namespace cairn {

namespace {

constexpr uint64_t kMaxFileBytes = std::numeric_limits<int64_t>::max();

Result<void> check_range(uint64_t offset, uint64_t length) {
  if (offset <= kMaxFileBytes && length <= kMaxFileBytes - offset) return {};
  return fail(Errc::invalid_argument, "{} bytes at {} end past the largest file", length, offset);
}

}  // namespace

Result<std::unique_ptr<Draft>> Draft::open(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer,
                                           std::shared_ptr<FileReader> base, uint32_t user) {
  auto staging = environment.staging.create(user);
  if (!staging) return fail(std::move(staging).error());
  const DraftLayout layout(base ? base->size_bytes() : 0);
  return std::unique_ptr<Draft>(new Draft(environment, reader, writer, std::move(*staging), std::move(base), layout));
}

Result<std::unique_ptr<Draft>> Draft::open_empty(StoreEnvironment& environment, ChunkReader& reader,
                                                 ChunkWriter& writer, uint32_t user) {
  auto draft = open(environment, reader, writer, nullptr, user);
  if (draft) (*draft)->changed(0, 0);
  return draft;
}

Result<std::unique_ptr<Draft>> Draft::open_blank(StoreEnvironment& environment, ChunkReader& reader,
                                                 ChunkWriter& writer, std::shared_ptr<FileReader> source,
                                                 uint32_t user) {
  auto staging = environment.staging.create(user);
  if (!staging) return fail(std::move(staging).error());
  std::unique_ptr<Draft> draft(
      new Draft(environment, reader, writer, std::move(*staging), std::move(source), DraftLayout()));
  draft->changed(0, 0);
  return draft;
}

Draft::Draft(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer,
             std::unique_ptr<StagingFile> staging, std::shared_ptr<FileReader> base, DraftLayout layout, bool is_kept)
    : environment_(environment),
      reader_(reader),
      writer_(writer),
      bytes_(
          std::move(staging), std::move(base), &reader, std::move(layout),
          [this](uint64_t begin, uint64_t end) { changed(begin, end); }, is_kept),
      chunks_(environment, writer,
              [this](const DraftChunks::ChunkPtr& chunk, const std::optional<ChunkRef>& ref) { stored(chunk, ref); }),
      stream_(environment, bytes_, chunks_) {
  if (bytes_.base() != nullptr) writer_.remember(bytes_.base()->manifest());
}

Result<size_t> Draft::read(uint64_t offset, MutableByteView out, const RequestContext& context) {
  return bytes_.read(offset, out, context);
}

Result<StagingRoom::Place> Draft::take_room(uint64_t offset, uint64_t length, const RequestContext& context) {
  if (auto fits = check_range(offset, length); !fits) return fail(std::move(fits).error());
  // For all of it: what is staged already may be given back before the write comes.
  auto place = environment_.staging.room().queue(length, bytes_.staging().user());
  if (environment_.staging.room().is_granted(place)) return place;
  if (auto made = DraftSpill(parts(), stream_, place, context).run(); !made) return fail(std::move(made).error());
  return place;
}

Result<void> Draft::write(uint64_t offset, ByteView bytes) {
  if (auto fits = check_range(offset, bytes.size()); !fits) return fits;
  auto written = bytes_.write(offset, bytes);
  stream_.written(offset);
  if (!written && written.error().code() == Errc::no_space) {
    tell_of_shortage(environment_.staging.room(), written.error().to_string());
  }
  return written;
}

Result<void> Draft::truncate(uint64_t size_bytes) {
  if (auto fits = check_range(0, size_bytes); !fits) return fits;
  if (!bytes_.truncate(size_bytes)) return {};
  stream_.cut(size_bytes);
  return {};
}

Result<void> Draft::punch(uint64_t offset, uint64_t length) {
  if (auto fits = check_range(offset, length); !fits) return fits;
  bytes_.punch(offset, length);
  stream_.cut(offset);
  return {};
}

Result<void> Draft::restore(uint64_t offset, uint64_t length) {
  const uint64_t there = bytes_.base() ? bytes_.base()->size_bytes() : 0;
  if (offset > there || length > there - offset) {
    return fail(Errc::invalid_argument, "{} bytes at {} of a version that has {}", length, offset, there);
  }
  if (length == 0) return {};
  bytes_.restore(offset, length);
  stream_.cut(offset);
  changed(offset, offset + length);
  return {};
}

Result<void> Draft::allocate(uint64_t offset, uint64_t length, bool keep_size) {
  if (auto fits = check_range(offset, length); !fits) return fits;
  if (environment_.staging.room().may_reserve(length, bytes_.staging().user())) {
    if (auto reserved = bytes_.reserve(offset, length); !reserved) return reserved;
  }
  return keep_size || offset + length <= size_bytes() ? Result<void>() : truncate(offset + length);
}

Result<StoredContent> Draft::seal(const RequestContext& context) {
  auto turn = sealing_.take(context);
  if (!turn) return fail(std::move(turn).error());
  const uint64_t changes = changes_;
  auto sealed = DraftSeal(parts(), context).run();
  if (!sealed) return sealed;
  chunks_.all_published();
  sealed_changes_ = changes;
  return sealed;
}

Result<std::unique_ptr<Draft>> Draft::fork(uint32_t user, const RequestContext& context) const {
  StagingRoom& room = environment_.staging.room();
  const auto place = room.queue(bytes_.staged_bytes(), user);
  if (auto granted = await_room(room, place, context); !granted) return fail(std::move(granted).error());
  auto staging = bytes_.copy_staged(environment_.staging, user, context);
  if (!staging) return fail(std::move(staging).error());
  std::unique_ptr<Draft> copy(
      new Draft(environment_, reader_, writer_, std::move(*staging), bytes_.shared_base(), bytes_.layout()));
  copy->changed(0, 0);
  return copy;
}

// Others may give back what they have sent, or what is kept of them may be published.
Result<void> Draft::await_room(StagingRoom& room, const StagingRoom::Place& place,
                               const RequestContext& context) const {
  auto waited = room.wait(place, context.stop, environment_.options.operation_timeout);
  if (waited || waited.error().code() != Errc::no_space) return waited;
  auto granted = room.insist(place);
  if (!granted && granted.error().posix() != EDQUOT) {
    tell_of_shortage(room, "what is kept of a file cannot be copied to go on with");
  }
  return granted;
}

std::string Draft::description(const std::string& identity, const DraftLayout& layout) const {
  const FileReader* base = bytes_.base();
  return describe_draft(
      {environment_.format.store_id, identity, layout, base ? base->version() : nullptr, bytes_.staging().user()},
      environment_.format.chunk_size);
}

Result<void> Draft::note(const std::string& identity) {
  return bytes_.note([&](const DraftLayout& layout) { return description(identity, layout); });
}

Result<void> Draft::keep(const std::string& identity) {
  return bytes_.keep([&](const DraftLayout& layout) { return description(identity, layout); });
}

// Where there is room enough, the bytes stay: reading them is then no request.
void Draft::stored(const DraftChunks::ChunkPtr& chunk, const std::optional<ChunkRef>& ref) {
  if (!environment_.staging.room().is_short(bytes_.staging().user())) return;
  bytes_.give_back(DraftChunks::cut_of(chunk), ref, [&] { return chunks_.is_current(chunk); });
}

Result<void> Draft::keep_briefly(const std::string& identity) {
  return bytes_.keep_briefly([&](const DraftLayout& layout) { return description(identity, layout); });
}

void Draft::become_image(FileReader& version) {
  if (!version.image()) return;
  const DraftLayout layout = bytes_.layout();
  version.image()->adopt(bytes_.staging(), [&](const ChunkRef& chunk) {
    return layout.is_all(DraftLayout::Source::staged, chunk.offset, chunk.end());
  });
}

void Draft::changed(uint64_t begin, uint64_t end) {
  chunks_.forget(begin, end);
  ++changes_;
}

}  // namespace cairn
