#include "cache/images/disk_image_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "cache/local_files.h"

namespace cairn {

namespace {

constexpr size_t kWriters = 2;  // a disk takes little more from four
constexpr auto kPause = std::chrono::seconds(10);
constexpr size_t kMostOpen = 64;
constexpr size_t kMostPlaces = 16;           // of one chunk that are remembered: a file may have a million equal ones
constexpr uint64_t kSaveEvery = 1ULL << 30;  // of new bytes: what a kill makes the next process fetch again

// "17.map" -> 17.
std::optional<uint64_t> number_of_map(const std::string& file_name) {
  uint64_t number = 0;
  const char* end = file_name.data() + file_name.size();
  const auto [stopped, error] = std::from_chars(file_name.data(), end, number);
  return error == std::errc() && std::string_view(stopped, end) == ".map" ? std::optional(number) : std::nullopt;
}

bool is_numbered(const std::string& file_name) {
  return !file_name.empty() && file_name[0] >= '0' && file_name[0] <= '9';
}

size_t index_of(const ImageRecord& image, const ChunkRef& chunk) {
  const auto& chunks = *image.chunks;
  const auto found = std::ranges::lower_bound(chunks, chunk.offset, {}, &ChunkRef::offset);
  return found != chunks.end() && *found == chunk ? static_cast<size_t>(found - chunks.begin()) : chunks.size();
}

}  // namespace

class DiskImageCache::Held final : public Image {
 public:
  Held(DiskImageCache& cache, ImageRecordPtr image) : cache_(cache), image_(std::move(image)) {}
  ~Held() override { cache_.release(image_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  void put(const ChunkRef& chunk, SharedBuffer plain) override { cache_.put(image_, chunk, std::move(plain)); }
  bool adopt(StagingFile& file, const std::function<bool(const ChunkRef&)>& has) override {
    return cache_.adopt(image_, file, has);
  }
  [[nodiscard]] bool contains(const ChunkRef& chunk) const override { return cache_.contains(*image_, chunk); }
  [[nodiscard]] std::shared_ptr<const UniqueFd> whole() const override { return cache_.whole(image_); }

 private:
  DiskImageCache& cache_;
  const ImageRecordPtr image_;
};

// --- Beginning and end ---

Result<std::unique_ptr<DiskImageCache>> DiskImageCache::open(Options options) {
  std::string directory = options.path + "/images";
  if (auto made = make_directories(directory); !made) return fail(std::move(made).error());
  auto lock = DirectoryLock::take(directory, options.path);
  if (!lock) return fail(std::move(lock).error());
  std::unique_ptr<DiskImageCache> cache(new DiskImageCache(std::move(options), std::move(directory), std::move(*lock)));
  cache->load();
  cache->watch_ =
      Thread("image watch", [watched = cache.get()](const std::stop_token& stop) { watched->keep_watch(stop); });
  return cache;
}

DiskImageCache::DiskImageCache(Options options, std::string directory, DirectoryLock lock)
    : options_(std::move(options)),
      directory_(std::move(directory)),
      lock_(std::move(lock)),
      settler_("image settler", 1),
      writers_("image writer", kWriters) {}

// What is on its way is written; a map then says what is there.
DiskImageCache::~DiskImageCache() {
  stopping_ = true;
  watch_ = Thread();
  flush();
  std::vector<ImageRecordPtr> unsaved;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, image] : images_) {
      if (image->unsaved_bytes > 0) unsaved.push_back(image);
    }
  }
  for (const ImageRecordPtr& image : unsaved) save(image);
}

// Numbers of this process are like nobody else's, should two of them ever come to share the directory.
void DiskImageCache::load() {
  {
    const MutexLock lock(mutex_);
    next_number_ = static_cast<uint64_t>(options_.clock->wall_now());
  }
  std::error_code error;
  std::vector<std::pair<std::filesystem::file_time_type, uint64_t>> maps;  // by last use
  for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unreadable;
    if (const auto number = number_of_map(entry->path().filename().string())) {
      maps.emplace_back(entry->last_write_time(unreadable), *number);
    }
  }
  std::ranges::sort(maps);
  for (const auto& [used, number] : maps) {
    load_image(fmt::format("{}/{}", directory_, number));
    const MutexLock lock(mutex_);
    next_number_ = std::max(next_number_, number + 1);
  }
  // Data of which no map speaks, and what a replacement left.
  std::vector<std::filesystem::path> strays;
  for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto map = std::filesystem::path(entry->path()).replace_extension(".map");
    if (is_numbered(entry->path().filename().string()) && !std::filesystem::exists(map, error)) {
      strays.push_back(entry->path());
    }
    if (entry->path().extension() == ".tmp") strays.push_back(entry->path());
  }
  for (const auto& stray : strays) ::unlink(stray.c_str());
  Evicted evicted;
  const MutexLock lock(mutex_);
  make_room_locked(0, evicted);
}

void DiskImageCache::load_image(const std::string& stem) {
  const auto text = read_whole_file(stem + ".map");
  auto map = text ? parse_image_map(*text) : Result<ImageMap>(fail(text.error()));
  struct stat status {};
  const bool has_data =
      map && ::stat((stem + ".data").c_str(), &status) == 0 && static_cast<uint64_t>(status.st_size) == map->size_bytes;
  if (!has_data || map->care < options_.care) {
    if (!map) log::warning("cache: the image '{}' is dropped: {}", stem, map.error().message());
    ::unlink((stem + ".map").c_str());
    ::unlink((stem + ".data").c_str());
    return;
  }
  auto image =
      std::make_shared<ImageRecord>(stem, image_id(map->size_bytes, *map->chunks), map->size_bytes, map->chunks);
  image->has_file();
  image->is_noted_whole = map->is_whole && map->inode == status.st_ino;
  const MutexLock lock(mutex_);
  if (!images_.emplace(image->id, image).second) return image->remove_files();
  touch_locked(*image);
  ++stats_.images;
  for (size_t i = 0; i < image->chunks->size(); ++i) {
    if (!map->present[i]) continue;
    image->states[i] = ChunkState::unproven;
    image->used_bytes += (*image->chunks)[i].size;
    index_locked(*image, i);
  }
  stats_.used_bytes += image->used_bytes;
}

// --- Whoever has an image ---

ImagePtr DiskImageCache::open(uint64_t size_bytes, const ChunkList& chunks) {
  if (size_bytes < options_.least_bytes || chunks->empty()) return nullptr;
  const ImageId id = image_id(size_bytes, *chunks);
  const MutexLock lock(mutex_);
  ImageRecordPtr& image = images_[id];
  if (!image) {
    image = std::make_shared<ImageRecord>(fmt::format("{}/{}", directory_, next_number_++), id, size_bytes, chunks);
    ++stats_.images;
  }
  touch_locked(*image);
  ++image->holders;
  if (!image->is_whole() && image->used_bytes > 0) settle_soon_locked(image);
  return std::make_shared<Held>(*this, image);
}

// An image that never got a byte leaves nothing behind.
void DiskImageCache::release(const ImageRecordPtr& image) {
  ::utimensat(AT_FDCWD, image->map_path().c_str(), nullptr,
              0);  // its last use, for the next process; there may be none
  Evicted evicted;
  const MutexLock lock(mutex_);
  if (--image->holders > 0 || image->is_gone) return;
  if (image->used_bytes == 0 && is_idle(*image)) return evict_locked(image, evicted);
  if (!image->is_whole() || image->unsaved_bytes > 0) settle_soon_locked(image);
}

bool DiskImageCache::is_idle(const ImageRecord& image) {
  return image.holders == 0 && image.on_the_way.empty() && !image.is_settling && !image.is_adopting;
}

bool DiskImageCache::contains(const ImageRecord& image, const ChunkRef& chunk) const {
  const size_t index = index_of(image, chunk);
  const MutexLock lock(mutex_);
  return index < image.states.size() && image.states[index] != ChunkState::absent;
}

std::shared_ptr<const UniqueFd> DiskImageCache::whole(const ImageRecordPtr& image) {
  {
    const MutexLock lock(mutex_);
    if (!image->is_whole() || image->is_gone) return nullptr;
  }
  const auto file = file_of(image);
  return file ? (*file)->reader() : nullptr;
}

// The image's file, open. Those that were used longest ago are closed again, by the last one who still works with them.
Result<std::shared_ptr<ImageFile>> DiskImageCache::file_of(const ImageRecordPtr& image) {
  auto file = image->file();
  if (!file) return file;
  ImageRecordPtr oldest;
  {
    const MutexLock lock(open_mutex_);
    std::erase(open_, image);
    open_.push_back(image);
    if (open_.size() > kMostOpen) {
      oldest = open_.front();
      open_.erase(open_.begin());
    }
  }
  if (oldest) oldest->close_file();
  return file;
}

void DiskImageCache::put(const ImageRecordPtr& image, const ChunkRef& chunk, SharedBuffer plain) {
  const size_t index = index_of(*image, chunk);
  if (index == image->states.size() || plain->size() != chunk.size) return;
  {
    Evicted evicted;
    const MutexLock lock(mutex_);
    if (!begin_locked(*image, index, plain, evicted)) return;
    ++tasks_begun_;
  }
  writers_.submit([this, image, index, plain = std::move(plain)] {
    write(image, index, plain->view());
    const MutexLock lock(mutex_);
    ++tasks_ended_;
    progress_.notify_all();
  });
}

// --- Bytes ---

// Room is taken, and readers find the bytes in memory until write() has ended.
bool DiskImageCache::begin_locked(ImageRecord& image, size_t chunk, const SharedBuffer& plain, Evicted& evicted) {
  if (image.is_gone || image.is_adopting || image.takes_nothing || !is_ours_) return false;
  if (image.states[chunk] != ChunkState::absent) return false;
  const uint64_t size = (*image.chunks)[chunk].size;
  if (options_.clock->steady_now() < paused_until_ || !make_room_locked(size, evicted)) {
    ++stats_.dropped_chunks;
    return false;
  }
  image.states[chunk] = ChunkState::writing;
  image.on_the_way[chunk] = plain;
  image.used_bytes += size;
  stats_.used_bytes += size;
  stats_.queued_bytes += size;
  index_locked(image, chunk);
  return true;
}

bool DiskImageCache::write(const ImageRecordPtr& image, size_t chunk, ByteView plain) {
  const auto written = write_to_disk(image, (*image->chunks)[chunk].offset, plain);
  const MutexLock lock(mutex_);
  image->on_the_way.erase(chunk);
  stats_.queued_bytes -= plain.size();
  if (image->is_gone) return false;
  if (!written) {
    if (!image->takes_nothing) {
      log::warning("cache: {}; it takes no images for {} s", written.error().message(), kPause.count());
      paused_until_ = options_.clock->steady_now() + kPause;
    }
    ++stats_.dropped_chunks;
    image->states[chunk] = ChunkState::absent;
    image->used_bytes -= plain.size();
    stats_.used_bytes -= plain.size();
    unindex_locked(*image, chunk);
    return false;
  }
  image->states[chunk] = ChunkState::proven;
  image->unsaved_bytes += plain.size();
  if (--image->not_proven == 0 || image->unsaved_bytes >= kSaveEvery) settle_soon_locked(image);
  return true;
}

// A full disk is answered by giving back what was used longest ago.
Result<void> DiskImageCache::write_to_disk(const ImageRecordPtr& image, uint64_t offset, ByteView plain) {
  auto file = file_of(image);
  if (!file) {
    // It may be larger than any file here can be; that says nothing of others.
    log::info("cache: no image: {}", file.error().message());
    const MutexLock lock(mutex_);
    image->takes_nothing = file.error().code() != Errc::no_space;
    return fail(std::move(file).error());
  }
  while (true) {
    auto written = (*file)->write(offset, plain);
    if (written || written.error().code() != Errc::no_space) return written;
    Evicted evicted;
    const MutexLock lock(mutex_);
    if (!evict_oldest_locked(evicted)) return written;
  }
}

bool DiskImageCache::read(const ChunkRef& chunk, uint64_t offset, MutableByteView out) {
  std::optional<Spot> spot;
  {
    const MutexLock lock(mutex_);
    spot = find_locked(chunk);
    if (spot) ++stats_.hits;
  }
  if (!spot || offset + out.size() > chunk.size) return false;
  if (spot->on_the_way) {
    std::ranges::copy(spot->on_the_way->view().subspan(offset, out.size()), out.begin());
    return true;
  }
  ImageRecord& image = *spot->image;
  const uint64_t place = (*image.chunks)[spot->chunk].offset;
  if (out.size() == chunk.size || !spot->is_proven) {
    Buffer all;
    const bool in_place = out.size() == chunk.size;
    if (!in_place) all = Buffer::placed(chunk.size, place % Buffer::kPageBytes);
    const Loaded loaded = load_checked(spot->image, spot->chunk, in_place ? out : all.mutable_view());
    if (loaded == Loaded::damaged) drop(spot->image, spot->chunk, "does not match its checksum");
    if (loaded != Loaded::sound) return false;
    prove(image, spot->chunk);
    if (!in_place) std::ranges::copy(all.view().subspan(offset, out.size()), out.begin());
    return true;
  }
  const auto file = file_of(spot->image);
  const auto got = file ? (*file)->read(place + offset, out) : Result<void>(fail(file.error()));
  if (!got) drop(spot->image, spot->chunk, got.error().message());
  return got.has_value();
}

bool DiskImageCache::contains(const ChunkId& id) const {
  const MutexLock lock(mutex_);
  return index_.contains(id);
}

// A process without descriptors says nothing of the disk.
DiskImageCache::Loaded DiskImageCache::load_checked(const ImageRecordPtr& image, size_t chunk, MutableByteView out) {
  const ChunkRef& ref = (*image->chunks)[chunk];
  const auto file = file_of(image);
  if (!file && file.error().code() != Errc::not_found && file.error().code() != Errc::corrupt) return Loaded::not_now;
  const bool is_sound = file && (*file)->read(ref.offset, out) && xxh3_128(out) == ref.checksum;
  return is_sound ? Loaded::sound : Loaded::damaged;
}

void DiskImageCache::prove(ImageRecord& image, size_t chunk) {
  const MutexLock lock(mutex_);
  if (image.states[chunk] != ChunkState::unproven) return;
  image.states[chunk] = ChunkState::proven;
  --image.not_proven;
}

// Who reads the image by himself meanwhile cannot be told; the next one is.
void DiskImageCache::drop(const ImageRecordPtr& image, size_t chunk, const std::string& why) {
  const ChunkRef& ref = (*image->chunks)[chunk];
  const MutexLock lock(mutex_);
  ChunkState& state = image->states[chunk];
  if (image->is_gone || (state != ChunkState::proven && state != ChunkState::unproven)) return;
  log::warning("cache: chunk {} of '{}' {}: it is dropped", ref.id.short_hex(), image->path, why);
  ++stats_.corrupt_chunks;
  if (state == ChunkState::proven) ++image->not_proven;
  image->is_noted_whole = false;
  state = ChunkState::absent;
  image->used_bytes -= ref.size;
  stats_.used_bytes -= ref.size;
  image->unsaved_bytes += ref.size;
  unindex_locked(*image, chunk);
  settle_soon_locked(image);
}

// --- The index, and who goes ---

std::optional<DiskImageCache::Spot> DiskImageCache::find_locked(const ChunkRef& chunk) const {
  const auto [first, last] = index_.equal_range(chunk.id);
  std::optional<Spot> unproven;
  for (auto it = first; it != last; ++it) {
    const auto [image, index] = it->second;
    const ChunkRef& there = (*image->chunks)[index];
    if (there.size != chunk.size || there.checksum != chunk.checksum) continue;
    const ChunkState state = image->states[index];
    Spot spot{images_.at(image->id), index, state == ChunkState::proven, nullptr};
    if (state == ChunkState::writing) spot.on_the_way = image->on_the_way.at(index);
    if (state != ChunkState::unproven) return spot;
    unproven = std::move(spot);
  }
  return unproven;
}

void DiskImageCache::index_locked(ImageRecord& image, size_t chunk) {
  const ChunkId& id = (*image.chunks)[chunk].id;
  if (index_.count(id) < kMostPlaces) index_.emplace(id, Location{&image, chunk});
}

void DiskImageCache::unindex_locked(const ImageRecord& image, size_t chunk) {
  const auto [first, last] = index_.equal_range((*image.chunks)[chunk].id);
  for (auto it = first; it != last; ++it) {
    if (it->second.image != &image || it->second.chunk != chunk) continue;
    index_.erase(it);
    return;
  }
}

void DiskImageCache::touch_locked(ImageRecord& image) {
  by_use_.erase(image.last_use);
  image.last_use = ++uses_;
  by_use_.emplace(image.last_use, &image);
}

// What the blocks do not use, and the disk has.
uint64_t DiskImageCache::limit_locked() const {
  const uint64_t blocks = options_.blocks != nullptr ? options_.blocks->stats().used_bytes : 0;
  return std::min(options_.capacity_bytes - std::min(options_.capacity_bytes, blocks), disk_bytes_);
}

bool DiskImageCache::make_room_locked(uint64_t bytes, Evicted& evicted) {
  const uint64_t limit = limit_locked();
  while (stats_.used_bytes + bytes > limit) {
    if (!evict_oldest_locked(evicted)) return false;
  }
  return true;
}

bool DiskImageCache::evict_oldest_locked(Evicted& evicted) {
  for (const auto& [use, image] : by_use_) {
    if (!is_idle(*image)) continue;
    ++stats_.evicted_images;
    evict_locked(images_.at(image->id), evicted);
    return true;
  }
  return false;
}

void DiskImageCache::evict_locked(const ImageRecordPtr& image, Evicted& evicted) {
  const ImageRecordPtr& keep = evicted.images.emplace_back(image);  // `image` may be what images_ holds
  keep->is_gone = true;
  for (size_t i = 0; i < keep->states.size(); ++i) {
    if (keep->states[i] != ChunkState::absent) unindex_locked(*keep, i);
  }
  stats_.used_bytes -= keep->used_bytes;
  --stats_.images;
  by_use_.erase(keep->last_use);
  images_.erase(keep->id);
}

bool DiskImageCache::is_behind() const {
  const MutexLock lock(mutex_);
  return stats_.queued_bytes > options_.queue_bytes;
}

void DiskImageCache::flush() {
  MutexLock lock(mutex_);
  // What was put, and what is to be done once that is written: whoever goes on putting does not hold this up.
  for (int round = 0; round < 2; ++round) {
    progress_.wait(lock, [this, begun = tasks_begun_]() CAIRN_REQUIRES(mutex_) { return tasks_ended_ >= begun; });
  }
}

void DiskImageCache::clear() {
  flush();
  Evicted evicted;
  const MutexLock lock(mutex_);
  std::vector<ImageRecordPtr> idle;
  for (const auto& [id, image] : images_) {
    if (is_idle(*image)) idle.push_back(image);
  }
  for (const ImageRecordPtr& image : idle) evict_locked(image, evicted);
}

ImageCacheStats DiskImageCache::stats() const {
  const MutexLock lock(mutex_);
  ImageCacheStats now = stats_;
  for (const auto& [id, image] : images_) now.whole_images += image->is_whole() ? 1 : 0;
  now.capacity_bytes = options_.capacity_bytes;
  return now;
}

}  // namespace cairn
