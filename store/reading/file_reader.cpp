#include "store/reading/file_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "store/chunks/manifest_objects.h"
#include "store/reading/prefetcher.h"

namespace cairn {

namespace {

Result<ManifestPtr> load_chunks(StoreEnvironment& environment, const Version& version, const RequestContext& context) {
  if (const auto* listed = std::get_if<ManifestPtr>(&version.content)) return *listed;
  return fetch_manifest(environment, std::get<Digest>(version.content), context);
}

SharedBuffer or_empty(const SharedBuffer& bytes) { return bytes ? bytes : std::make_shared<const Buffer>(); }

}  // namespace

Result<std::shared_ptr<FileReader>> FileReader::open(StoreEnvironment& environment, ChunkReader& chunks,
                                                     VersionPtr version, const RequestContext& context) {
  SharedBuffer inline_bytes;
  ManifestPtr manifest;
  uint64_t content_bytes = 0;
  if (const auto* bytes = std::get_if<SharedBuffer>(&version->content)) {
    inline_bytes = or_empty(*bytes);
    manifest = std::make_shared<const Manifest>();
    content_bytes = inline_bytes->size();
  } else {
    auto loaded = load_chunks(environment, *version, context);
    if (!loaded) return fail(std::move(loaded).error());
    manifest = std::move(*loaded);
    content_bytes = manifest->size_bytes();
  }
  if (content_bytes != version->size_bytes) {
    return fail(Errc::corrupt, "a version of {} bytes whose content has {}", version->size_bytes, content_bytes);
  }
  ImagePtr image = environment.images.open(manifest->size_bytes(), {manifest, &manifest->chunks()});
  auto reader = std::shared_ptr<FileReader>(
      new FileReader(chunks, std::move(version), std::move(inline_bytes), std::move(manifest), std::move(image)));
  const auto* manifest_id = std::get_if<Digest>(&reader->version_->content);
  reader->prefetcher_ =
      std::make_shared<Prefetcher>(environment, chunks, reader->manifest_, reader->image_,
                                   manifest_id != nullptr ? std::optional<Digest>(*manifest_id) : std::nullopt);
  return reader;
}

FileReader::FileReader(ChunkReader& chunks, VersionPtr version, SharedBuffer inline_bytes, ManifestPtr manifest,
                       ImagePtr image)
    : chunks_(chunks),
      version_(std::move(version)),
      inline_(std::move(inline_bytes)),
      manifest_(std::move(manifest)),
      image_(std::move(image)) {}

FileReader::~FileReader() { set_page_sink(nullptr); }

Result<size_t> FileReader::read(uint64_t offset, MutableByteView out, const RequestContext& context) {
  if (offset >= size_bytes()) return 0;
  out = out.first(std::min<uint64_t>(out.size(), size_bytes() - offset));
  if (out.empty()) return 0;
  if (inline_) {
    std::memcpy(out.data(), inline_->data() + offset, out.size());
    return out.size();
  }
  if (context.cause == Cause::demand) prefetcher_->observe(offset, out.size());
  auto done = read_chunks(offset, out, context);
  if (!done) return fail(std::move(done).error());
  if (context.cause == Cause::demand) prefetcher_->served(offset, out.size());
  return out.size();
}

Result<void> FileReader::read_chunks(uint64_t offset, MutableByteView out, const RequestContext& context) {
  const auto& chunks = manifest_->chunks();
  const uint64_t end = offset + out.size();
  size_t index = manifest_->index_at(offset);
  start_fetches(index + 1, end);
  uint64_t at = offset;
  for (; at < end && index < chunks.size() && chunks[index].offset < end; ++index) {
    const ChunkRef& chunk = chunks[index];
    const uint64_t begin = std::max(at, chunk.offset);
    const uint64_t stop = std::min(end, chunk.end());
    std::memset(out.data() + (at - offset), 0, begin - at);
    auto read = chunks_.read(chunk, begin - chunk.offset, out.subspan(begin - offset, stop - begin), context, image_);
    if (!read) return read;
    at = stop;
  }
  std::memset(out.data() + (at - offset), 0, end - at);
  return {};
}

// A read of several chunks fetches them side by side. It holds none while it waits for another, so it can always go on.
void FileReader::start_fetches(size_t first, uint64_t end) {
  const auto& chunks = manifest_->chunks();
  for (size_t i = first; i < chunks.size() && chunks[i].offset < end; ++i) {
    if (!chunks_.is_local(chunks[i]))
      chunks_.prefetch(
          chunks[i], [](const Result<SharedBuffer>&) {}, image_);
  }
}

std::optional<uint64_t> FileReader::seek_data(uint64_t offset) const {
  if (offset >= size_bytes()) return std::nullopt;
  if (inline_) return offset;
  const size_t index = manifest_->index_at(offset);
  if (index == manifest_->chunks().size()) return std::nullopt;
  return std::max(offset, manifest_->chunks()[index].offset);
}

std::optional<uint64_t> FileReader::seek_hole(uint64_t offset) const {
  if (offset >= size_bytes()) return std::nullopt;
  if (inline_) return size_bytes();
  const auto& chunks = manifest_->chunks();
  uint64_t at = offset;
  for (size_t i = manifest_->index_at(offset); i < chunks.size() && chunks[i].offset <= at; ++i) at = chunks[i].end();
  return at;
}

void FileReader::set_page_sink(PageSink sink) { prefetcher_->set_sink(std::move(sink)); }

void FileReader::set_half_read(std::function<void()> half_read) { prefetcher_->set_half_read(std::move(half_read)); }

}  // namespace cairn
