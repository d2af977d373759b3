// What is done for images in the background: what they lack is taken from elsewhere on this disk, what nobody vouches
// for is checked, and what is known of them is written down.
#include <utility>

#include "base/log.h"
#include "cache/images/disk_image_cache.h"
#include "cache/local_files.h"

namespace cairn {

void DiskImageCache::settle_soon_locked(const ImageRecordPtr& image) {
  if (stopping_) return;
  image->settles_again = image->is_settling;
  if (image->is_settling) return;
  image->is_settling = true;
  ++tasks_begun_;
  settler_.submit([this, image] {
    settle(image);
    Evicted evicted;
    const MutexLock lock(mutex_);
    image->is_settling = false;
    ++tasks_ended_;
    if (std::exchange(image->settles_again, false)) settle_soon_locked(image);
    if (image->used_bytes == 0 && is_idle(*image) && !image->is_gone) evict_locked(image, evicted);
    close_if_idle_locked(*image);
    progress_.notify_all();
  });
}

void DiskImageCache::settle(const ImageRecordPtr& image) {
  if (is_fillable(*image)) fill(image);
  bool is_to_save = false;
  {
    const MutexLock lock(mutex_);
    is_to_save = image->unsaved_bytes > 0 || (image->is_whole() && !image->is_noted_whole);
  }
  if (is_to_save) save(*image);
}

// All that is missing is on this disk.
bool DiskImageCache::is_fillable(const ImageRecord& image) const {
  const MutexLock lock(mutex_);
  if (image.is_whole()) return false;
  for (size_t i = 0; i < image.states.size(); ++i) {
    if (image.states[i] != ChunkState::absent) continue;
    const ChunkRef& chunk = (*image.chunks)[i];
    const bool is_here =
        index_.contains(chunk.id) || (options_.blocks != nullptr && options_.blocks->contains(chunk.id));
    if (!is_here) return false;
  }
  return true;
}

void DiskImageCache::fill(const ImageRecordPtr& image) {
  for (size_t i = 0; i < image->states.size() && !stopping_; ++i) {
    if (!fill_chunk(image, i)) return;
  }
}

// True: the chunk is there and proven, or on its way.
bool DiskImageCache::fill_chunk(const ImageRecordPtr& image, size_t chunk) {
  const ChunkRef& ref = (*image->chunks)[chunk];
  ChunkState state = ChunkState::absent;
  {
    const MutexLock lock(mutex_);
    if (image->is_gone) return false;
    state = image->states[chunk];
  }
  if (state == ChunkState::proven || state == ChunkState::writing) return true;
  Buffer plain = Buffer::placed(ref.size, ref.offset % Buffer::kPageBytes);
  if (state == ChunkState::unproven) {
    const bool is_sound = load_checked(*image, chunk, plain.mutable_view());
    is_sound ? prove(*image, chunk) : drop(image, chunk, "does not match its checksum");
    return is_sound;
  }
  const bool found = read(ref, 0, plain.mutable_view()) ||
                     (options_.blocks != nullptr && options_.blocks->read(ref.id, 0, plain.mutable_view()));
  if (!found) return false;
  const auto shared = std::make_shared<const Buffer>(std::move(plain));
  {
    Evicted evicted;
    const MutexLock lock(mutex_);
    if (!begin_locked(*image, chunk, shared, evicted)) return image->states[chunk] != ChunkState::absent;
  }
  return write(image, chunk, shared->view());
}

// What is between the chunks, and where they are not, must read as zeros.
bool DiskImageCache::adopt(const ImageRecordPtr& image, StagingFile& file,
                           const std::function<bool(const ChunkRef&)>& has) {
  const auto& chunks = *image->chunks;
  std::vector<size_t> there;
  uint64_t bytes = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (!has(chunks[i])) continue;
    there.push_back(i);
    bytes += chunks[i].size;
  }
  {
    Evicted evicted;
    const MutexLock lock(mutex_);
    if (there.empty() || image->used_bytes > 0 || image->is_gone || !make_room_locked(bytes, evicted)) return false;
  }
  const auto taken = image->file_from(file);
  if (!taken) return false;
  uint64_t end = 0;
  for (size_t i = 0; i <= there.size(); ++i) {
    const uint64_t next = i < there.size() ? chunks[there[i]].offset : image->size_bytes;
    if (next > end && !(*taken)->punch(end, next - end)) return true;  // of no use; it goes with the image
    if (i < there.size()) end = chunks[there[i]].end();
  }
  const MutexLock lock(mutex_);
  for (const size_t i : there) {
    if (image->states[i] != ChunkState::absent) continue;
    image->states[i] = ChunkState::proven;
    image->used_bytes += chunks[i].size;
    stats_.used_bytes += chunks[i].size;
    image->unsaved_bytes += chunks[i].size;
    index_locked(*image, i);
    --image->not_proven;
  }
  settle_soon_locked(image);
  return true;
}

// The bytes first: a map that says "whole" is believed.
void DiskImageCache::save(ImageRecord& image) {
  ImageMap map{.care = options_.care, .size_bytes = image.size_bytes, .chunks = image.chunks, .present = {}};
  {
    const MutexLock lock(mutex_);
    if (image.is_gone) return;
    map.is_whole = image.is_whole();
    for (const ChunkState state : image.states) {
      map.present.push_back(state == ChunkState::proven || state == ChunkState::unproven);
    }
    image.unsaved_bytes = 0;
    image.is_noted_whole = map.is_whole;
    image.scrubbed = options_.clock->steady_now();
  }
  const auto file = image.file();
  auto saved = file && map.is_whole ? (*file)->sync() : Result<void>();
  if (saved) saved = replace_file(image.map_path(), encode_image_map(map));
  const MutexLock lock(mutex_);
  if (image.is_gone) image.remove_files();
  if (saved) return;
  image.is_noted_whole = false;
  log::warning("cache: what is known of '{}' is not written down: {}", image.path, saved.error().message());
}

bool DiskImageCache::scrub_one(SteadyTime before, const std::function<bool(uint64_t)>& may_read) {
  ImageRecordPtr image;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, candidate] : images_) {
      if (candidate->is_whole() && candidate->scrubbed < before) image = candidate;
    }
    if (!image) return false;
    image->scrubbed = options_.clock->steady_now();
  }
  for (size_t i = 0; i < image->chunks->size(); ++i) {
    const ChunkRef& chunk = (*image->chunks)[i];
    if (!may_read(chunk.size)) return true;
    {
      const MutexLock lock(mutex_);
      if (image->is_gone) return true;
      if (image->states[i] != ChunkState::proven && image->states[i] != ChunkState::unproven) continue;
      stats_.scrubbed_bytes += chunk.size;
    }
    Buffer plain = Buffer::placed(chunk.size, chunk.offset % Buffer::kPageBytes);
    const bool is_sound = load_checked(*image, i, plain.mutable_view());
    is_sound ? prove(*image, i) : drop(image, i, "does not match its checksum");
  }
  return true;
}

}  // namespace cairn
