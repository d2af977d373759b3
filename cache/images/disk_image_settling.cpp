// What is done for images in the background: what they lack is taken from elsewhere on this disk, what nobody vouches
// for is checked, and what is known of them is written down.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "cache/images/disk_image_cache.h"
#include "cache/local_files.h"

namespace cairn {

namespace {

constexpr auto kLookEvery = std::chrono::seconds(1);  // at the disk, and whether somebody has removed the files

// What the disk has left but for a twentieth of it, or a GiB: full disks are slow, and others need them.
uint64_t spare_bytes(const std::string& directory) {
  const DiskRoom room = disk_room(directory);
  const uint64_t reserve = std::min<uint64_t>(room.total_bytes / 20, 1 << 30);
  return room.free_bytes - std::min(room.free_bytes, reserve);
}

}  // namespace

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
  if (is_to_save) save(image);
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
    const Loaded loaded = load_checked(image, chunk, plain.mutable_view());
    if (loaded == Loaded::sound) prove(*image, chunk);
    if (loaded == Loaded::damaged) drop(image, chunk, "does not match its checksum");
    return loaded == Loaded::sound;
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
    if (there.empty() || image->used_bytes > 0 || image->is_gone || image->is_adopting || !is_ours_) return false;
    if (!make_room_locked(bytes, evicted)) return false;
    image->is_adopting = true;
    image->used_bytes = bytes;
    stats_.used_bytes += bytes;
  }
  const auto taken = image->file_from(file);
  bool is_sound = taken.has_value();
  uint64_t end = 0;
  for (size_t i = 0; i <= there.size() && is_sound; ++i) {
    const uint64_t next = i < there.size() ? chunks[there[i]].offset : image->size_bytes;
    if (next > end) is_sound = (*taken)->punch(end, next - end).has_value();
    if (i < there.size()) end = chunks[there[i]].end();
  }
  const MutexLock lock(mutex_);
  image->is_adopting = false;
  if (!is_sound || image->is_gone) {
    if (!image->is_gone) stats_.used_bytes -= bytes;
    image->used_bytes = 0;
    image->takes_nothing = true;  // what lies between its chunks may be anything: it goes with the image
    return taken.has_value();
  }
  for (const size_t i : there) {
    image->states[i] = ChunkState::proven;
    image->unsaved_bytes += chunks[i].size;
    index_locked(*image, i);
    --image->not_proven;
  }
  settle_soon_locked(image);
  return true;
}

// The bytes first: a map that says "whole" is believed.
void DiskImageCache::save(const ImageRecordPtr& saved_image) {
  ImageRecord& image = *saved_image;
  ImageMap map{.care = options_.care, .size_bytes = image.size_bytes, .chunks = image.chunks, .present = {}};
  {
    const MutexLock lock(mutex_);
    if (image.is_gone || image.is_adopting) return;
    map.is_whole = image.is_whole();
    for (const ChunkState state : image.states) {
      map.present.push_back(state == ChunkState::proven || state == ChunkState::unproven);
    }
    image.unsaved_bytes = 0;
    image.is_noted_whole = map.is_whole;
    image.scrubbed = options_.clock->steady_now();
  }
  const auto file = file_of(saved_image);
  auto saved = file ? Result<void>() : Result<void>(fail(file.error()));
  if (saved && map.is_whole) saved = (*file)->sync();
  if (saved) map.inode = (*file)->inode();
  if (saved) saved = replace_file(image.map_path(), encode_image_map(map));
  const MutexLock lock(mutex_);
  if (image.is_gone) image.remove_files();
  if (saved) return;
  image.is_noted_whole = false;
  log::warning("cache: what is known of '{}' is not written down: {}", image.path, saved.error().message());
}

// Images give way to whatever else needs the disk, before it is full.
void DiskImageCache::keep_watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (lock_.is_removed()) start_over();
    {
      Evicted evicted;
      const MutexLock lock(mutex_);
      disk_bytes_ = stats_.used_bytes + spare_bytes(directory_);
      make_room_locked(0, evicted);
    }
    (void)pause(kLookEvery, RequestContext::within(2 * kLookEvery, Cause::maintenance, stop));
  }
}

// Somebody has removed the files: what was open goes on, and nothing of before is believed. What is there now under the
// old names may be another process's, who has found the directory free.
void DiskImageCache::start_over() {
  if (is_ours_.exchange(false)) log::warning("cache '{}': somebody has removed its images", directory_);
  {
    Evicted left;
    left.are_ours = false;
    const MutexLock lock(mutex_);
    std::vector<ImageRecordPtr> all;
    for (const auto& [id, image] : images_) all.push_back(image);
    for (const ImageRecordPtr& image : all) evict_locked(image, left);
  }
  if (!make_directories(directory_)) return;
  auto lock = DirectoryLock::take(directory_, options_.path);
  if (!lock) return;
  lock_ = std::move(*lock);
  is_ours_ = true;
}

bool DiskImageCache::scrub_one(SteadyTime before, const std::function<bool(uint64_t)>& may_read) {
  ImageRecordPtr image;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, candidate] : images_) {
      const bool is_due = candidate->scrubbed == SteadyTime{} || candidate->scrubbed < before;
      if (candidate->is_whole() && is_due) image = candidate;
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
    const Loaded loaded = load_checked(image, i, plain.mutable_view());
    if (loaded == Loaded::sound) prove(*image, i);
    if (loaded == Loaded::damaged) drop(image, i, "does not match its checksum");
  }
  return true;
}

}  // namespace cairn
