#include "cache/keep_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/digest.h"
#include "base/log.h"
#include "cache/local_files.h"

namespace cairn {

namespace {

// An entry: magic, state, checksum of all that follows it (32 hex digits), number, sizes, description, bytes.
constexpr std::string_view kMagic = "CKL";
constexpr char kKept = 'k';
constexpr char kGone = 'g';
constexpr size_t kStateAt = kMagic.size();
constexpr size_t kChecksumAt = kStateAt + 1;
constexpr size_t kChecksumBytes = 32;
constexpr size_t kNumberAt = kChecksumAt + kChecksumBytes;
constexpr size_t kSizesAt = kNumberAt + sizeof(uint64_t);
constexpr size_t kHeaderBytes = kSizesAt + 2 * sizeof(uint32_t);

constexpr uint64_t kSegmentBytes = 16U << 20;
constexpr std::string_view kSegmentPrefix = "keep.";

template <class T>
void add_number(std::string& entry, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  entry.append(bytes, sizeof bytes);
}

template <class T>
T number_at(std::string_view entry, size_t at) {
  T value{};
  std::memcpy(&value, entry.data() + at, sizeof value);
  return value;
}

std::string checksum_of(std::string_view entry) { return xxh3_128(as_bytes(entry.substr(kNumberAt))).hex(); }

std::string make_entry(uint64_t number, std::string_view description, std::string_view bytes) {
  std::string entry(kMagic);
  entry += kKept;
  entry.append(kChecksumBytes, '0');
  add_number(entry, number);
  add_number(entry, static_cast<uint32_t>(description.size()));
  add_number(entry, static_cast<uint32_t>(bytes.size()));
  entry += description;
  entry += bytes;
  entry.replace(kChecksumAt, kChecksumBytes, checksum_of(entry));
  return entry;
}

// The entry that `rest` begins with; empty: its end is missing, as that of an append which never returned.
std::string_view first_entry(std::string_view rest) {
  if (rest.size() < kHeaderBytes || !rest.starts_with(kMagic)) return {};
  const uint64_t size = kHeaderBytes + uint64_t{number_at<uint32_t>(rest, kSizesAt)} +
                        number_at<uint32_t>(rest, kSizesAt + sizeof(uint32_t));
  return size <= rest.size() ? rest.substr(0, size) : std::string_view();
}

}  // namespace

std::string KeepLog::path(uint64_t segment) const {
  return fmt::format("{}/{}{}", directory_, kSegmentPrefix, segment);
}

Result<std::vector<uint64_t>> KeepLog::find_segments() {
  std::vector<uint64_t> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(kSegmentPrefix)) continue;
    uint64_t number = 0;
    const char* const name_end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + kSegmentPrefix.size(), name_end, number);
    if (parsed.ec == std::errc() && parsed.ptr == name_end) found.push_back(number);
  }
  if (error) return fail(error_from_errno(error.value(), fmt::format("list '{}'", directory_)));
  std::ranges::sort(found);
  const MutexLock lock(mutex_);
  if (!found.empty()) next_ = found.back() + 1;
  return found;
}

Result<std::vector<KeepLog::Left>> KeepLog::read_segment(uint64_t number) const {
  const auto content = read_whole_file(path(number));
  if (!content) return fail(content.error());
  std::vector<Left> left;
  std::string_view rest = *content;
  while (true) {
    const std::string_view entry = first_entry(rest);
    if (entry.empty()) return left;
    rest.remove_prefix(entry.size());
    if (entry[kStateAt] == kGone) continue;
    const auto draft = number_at<uint64_t>(entry, kNumberAt);
    if (checksum_of(entry) != entry.substr(kChecksumAt, kChecksumBytes)) {
      log::error("what '{}' has of staging file {} is damaged, and is not used", path(number), draft);
      continue;
    }
    const auto description_bytes = number_at<uint32_t>(entry, kSizesAt);
    left.push_back({draft, std::string(entry.substr(kHeaderBytes, description_bytes)),
                    std::string(entry.substr(kHeaderBytes + description_bytes))});
  }
}

void KeepLog::remove_segment(uint64_t number) const {
  if (::unlink(path(number).c_str()) == 0 || errno == ENOENT) return;
  log::warning("{}", error_from_errno(errno, fmt::format("remove '{}'", path(number))).message());
}

Result<KeepLog::Place> KeepLog::append(uint64_t number, std::string_view description, std::string_view bytes) {
  const std::string entry = make_entry(number, description, bytes);
  SegmentPtr segment;
  Place place;
  Result<void> done;
  {
    const MutexLock lock(mutex_);
    auto current = current_locked();
    if (!current) return fail(std::move(current).error());
    segment = std::move(*current);
    place = {segment->number, segment->size_bytes};
    ++segment->live;
    segment->size_bytes += entry.size();
    done = write_locked(*segment, place.offset, entry);
  }
  if (done) done = sync(*segment, place.offset + entry.size());
  if (done) return place;
  release(place);
  return fail(std::move(done).error());
}

Result<KeepLog::SegmentPtr> KeepLog::current_locked() {
  // Somebody may have emptied the directory: what is appended to a file without a name is found by nobody.
  const bool is_usable =
      current_ && current_->failed == 0 && current_->size_bytes < kSegmentBytes && !was_removed(current_->file.get());
  if (is_usable) return current_;
  const SegmentPtr full = std::exchange(current_, nullptr);
  auto file = open_file(path(next_), O_RDWR | O_CREAT | O_EXCL);
  if (!file) return fail(std::move(file).error());
  if (auto named = sync_directory(directory_); !named) return fail(std::move(named).error());
  current_ = std::make_shared<Segment>();
  current_->number = next_++;
  current_->file = std::move(*file);
  segments_[current_->number] = current_;
  return current_;
}

Result<void> KeepLog::write_locked(Segment& segment, uint64_t offset, std::string_view entry) {
  while (!entry.empty()) {
    const ssize_t count = ::pwrite(segment.file.get(), entry.data(), entry.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      segment.failed = errno;
      return fail(error_from_errno(errno, fmt::format("write '{}'", path(segment.number))));
    }
    entry.remove_prefix(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

// One thread syncs for all whose entries are written by then. After a failure the kernel forgets what it could not
// write, so that a second try would prove nothing.
Result<void> KeepLog::sync(Segment& segment, uint64_t until) {
  MutexLock lock(mutex_);
  while (segment.synced_bytes < until) {
    if (segment.failed != 0) {
      return fail(error_from_errno(segment.failed, fmt::format("sync '{}'", path(segment.number))));
    }
    if (segment.syncing) {
      synced_.wait(lock, [&segment] { return !segment.syncing; });
      continue;
    }
    segment.syncing = true;
    const uint64_t written = segment.size_bytes;
    lock.unlock();
    const int failed = ::fdatasync(segment.file.get()) == 0 ? 0 : errno;
    lock.lock();
    segment.syncing = false;
    if (failed != 0) segment.failed = failed;  // an append may have failed meanwhile
    if (failed == 0) segment.synced_bytes = written;
    synced_.notify_all();
  }
  return {};
}

void KeepLog::release(const Place& place) {
  const MutexLock lock(mutex_);
  const auto found = segments_.find(place.segment);
  if (found == segments_.end()) return;
  Segment& segment = *found->second;
  if (::pwrite(segment.file.get(), &kGone, 1, static_cast<off_t>(place.offset + kStateAt)) != 1) {
    log::warning("{}", error_from_errno(errno, fmt::format("write '{}'", path(segment.number))).message());
  }
  if (--segment.live > 0) return;
  if (found->second == current_ && segment.failed == 0) {
    if (::ftruncate(segment.file.get(), 0) == 0) segment.size_bytes = segment.synced_bytes = 0;
    return;
  }
  if (found->second == current_) current_ = nullptr;
  remove_segment(segment.number);
  segments_.erase(found);
}

}  // namespace cairn
