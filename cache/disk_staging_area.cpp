#include "cache/disk_staging_area.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>

#include "base/digest.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/units.h"

namespace cairn {

namespace {

constexpr std::string_view kDataSuffix = ".data";
constexpr std::string_view kKeptSuffix = ".kept";
constexpr std::string_view kNoteSuffix = ".open";

constexpr uint32_t kRoot = 0;  // whose files nothing bounds

// <checksum of the description, 32 hex digits>\n<description>
std::string seal(std::string_view description) {
  return fmt::format("{}\n{}", xxh3_128(as_bytes(description)).hex(), description);
}

Result<std::string> unseal(std::string_view sealed) {
  const size_t line_end = sealed.find('\n');
  if (line_end == std::string_view::npos) return fail(Errc::corrupt, "no checksum line");
  const std::string_view description = sealed.substr(line_end + 1);
  if (xxh3_128(as_bytes(description)).hex() != sealed.substr(0, line_end)) return fail(Errc::corrupt, "wrong checksum");
  return std::string(description);
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return;
  log::warning("{}", error_from_errno(errno, fmt::format("remove '{}'", path)).message());
}

// <sealed description>\0<log>: a note is found without its end only if the process died while writing it.
constexpr char kNoteEnd = '\0';

// The stem is `<directory>/<n>`; the files of a staging file are named after it.
class DiskStagingFile final : public StagingFile {
 public:
  DiskStagingFile(std::string stem, uint64_t number, UniqueFd data, std::shared_ptr<DiskStagingArea::Shared> shared,
                  bool stays, uint32_t user)
      : stem_(std::move(stem)),
        number_(number),
        data_(std::move(data)),
        shared_(std::move(shared)),
        stays_(stays),
        noted_(stays),
        user_(user),
        counts_as_kept_(stays) {}
  ~DiskStagingFile() override {
    count(0);
    shared_->room.drop_file(user());
    if (stays_) return;
    if (!moved_) shared_->spares.give(path(kDataSuffix));
    if (noted_) shared_->spares.give(path(kNoteSuffix));
  }

  [[nodiscard]] int fd() const override { return data_.get(); }
  [[nodiscard]] uint64_t number() const override { return number_; }

  // In a file of its own until it is whole, so that a later note takes the place of an earlier one at once.
  Result<void> note(std::string_view description) override {
    const MutexLock lock(keeping_);
    const std::string fresh = path(kNoteSuffix) + ".tmp";
    auto file = shared_->spares.take(fresh);
    if (!file) {
      auto made = open_file(fresh, O_RDWR | O_CREAT | O_TRUNC);
      if (!made) return fail(std::move(made).error().in("note a staging file"));
      file = std::move(*made);
    }
    const std::string head = seal(description) + kNoteEnd;
    if (auto written = write_at(file->get(), 0, as_bytes(head)); !written) return written;
    if (::rename(fresh.c_str(), path(kNoteSuffix).c_str()) != 0) {
      return fail(error_from_errno(errno, fmt::format("rename '{}'", fresh)));
    }
    note_ = std::move(*file);
    log_begin_ = head.size();
    noted_ = true;
    return {};
  }

  Result<void> log(uint64_t position, ByteView record) override {
    const MutexLock lock(keeping_);
    if (!note_) return {};
    return write_at(note_->get(), log_begin_ + position, record);
  }

  // The bytes first: a description must never be found without them.
  Result<void> keep(std::string_view description) override {
    const MutexLock lock(keeping_);
    if (was_removed(data_.get())) return fail(Errc::io, "somebody has removed '{}'", path(kDataSuffix));
    if (::fsync(data_.get()) != 0) {
      return fail(error_from_errno(errno, fmt::format("fsync '{}'", path(kDataSuffix))));
    }
    auto written = replace_file(path(kKeptSuffix), seal(description));
    if (!written) return fail(std::move(written).error().in("keep staging file"));
    stays_ = true;
    note_.reset();
    leave_log();
    recount(true);
    return {};
  }

  Result<void> keep_briefly(std::string_view description) override {
    auto bytes = small_content();
    if (!bytes) return fail(std::move(bytes).error());
    if (!*bytes) return keep(description);
    const MutexLock lock(keeping_);
    auto place = shared_->log.append(number_, description, **bytes);
    if (!place) return fail(std::move(place).error().in("keep staging file"));
    stays_ = true;
    note_.reset();  // there may be thousands of these: one descriptor each will do
    leave_log();
    logged_ = *place;
    recount(true);
    return {};
  }

  void count(uint64_t staged_bytes) override {
    const MutexLock lock(counting_);
    recount_locked(counts_as_kept_, staged_bytes);
  }

  Result<void> move_to(const std::string& path_there) override {
    const MutexLock lock(keeping_);
    if (stays_ || moved_) return fail(Errc::io, "'{}' is to stay", path(kDataSuffix));
    if (::rename(path(kDataSuffix).c_str(), path_there.c_str()) != 0) {
      return fail(error_from_errno(errno, fmt::format("move '{}' to '{}'", path(kDataSuffix), path_there)));
    }
    moved_ = true;
    return {};
  }

  [[nodiscard]] uint32_t user() const override {
    const MutexLock lock(counting_);
    return user_;
  }

  void belongs_to(uint32_t user) override {
    const MutexLock lock(counting_);
    shared_->room.move_file(user_, user, told(counts_as_kept_, counted_));
    user_ = user;
  }

  // The note first: a file with a description alone is found as what it was, and one with a note alone is not.
  void release() override {
    const MutexLock lock(keeping_);
    note_.reset();
    if (noted_) shared_->spares.give(path(kNoteSuffix));
    noted_ = false;
    remove_file(path(kKeptSuffix));
    leave_log();
    stays_ = false;
    recount(false);
  }

 private:
  // nullopt: too large for the log.
  [[nodiscard]] Result<std::optional<std::string>> small_content() const {
    struct stat status {};
    if (::fstat(data_.get(), &status) != 0) return fail(error_from_errno(errno, path(kDataSuffix)));
    if (status.st_nlink == 0) return fail(Errc::io, "somebody has removed '{}'", path(kDataSuffix));
    if (static_cast<uint64_t>(status.st_size) > KeepLog::kMostBytes) return std::nullopt;
    std::string bytes(static_cast<size_t>(status.st_size), '\0');
    if (::pread(data_.get(), bytes.data(), bytes.size(), 0) != status.st_size) {
      return fail(Errc::io, "'{}' cannot be read back", path(kDataSuffix));
    }
    return bytes;
  }

  // What stands there is safe elsewhere, or need not be.
  void leave_log() CAIRN_REQUIRES(keeping_) {
    if (logged_) shared_->log.release(*logged_);
    logged_.reset();
  }

  // It is one of those that are kept, or no longer.
  void recount(bool as_kept) {
    const MutexLock lock(counting_);
    recount_locked(as_kept, counted_);
  }
  static StagingRoom::Bytes told(bool kept, uint64_t size) {
    return kept ? StagingRoom::Bytes{0, size} : StagingRoom::Bytes{size, 0};
  }
  void recount_locked(bool as_kept, uint64_t bytes) CAIRN_REQUIRES(counting_) {
    shared_->room.recount(told(counts_as_kept_, counted_), told(as_kept, bytes), user_);
    counts_as_kept_ = as_kept;
    counted_ = bytes;
  }
  [[nodiscard]] std::string path(std::string_view suffix) const { return stem_ + std::string(suffix); }

  const std::string stem_;
  const uint64_t number_;
  const UniqueFd data_;
  const std::shared_ptr<DiskStagingArea::Shared> shared_;
  Mutex keeping_;  // held over local I/O
  bool stays_ CAIRN_GUARDED_BY(keeping_);
  bool noted_ CAIRN_GUARDED_BY(keeping_);
  bool moved_ CAIRN_GUARDED_BY(keeping_) = false;                    // the data is somebody else's by now
  std::optional<KeepLog::Place> logged_ CAIRN_GUARDED_BY(keeping_);  // kept there, and not by a description of its own
  std::optional<UniqueFd> note_ CAIRN_GUARDED_BY(keeping_);
  uint64_t log_begin_ CAIRN_GUARDED_BY(keeping_) = 0;
  mutable Mutex counting_;
  uint32_t user_ CAIRN_GUARDED_BY(counting_);
  bool counts_as_kept_ CAIRN_GUARDED_BY(counting_);
  uint64_t counted_ CAIRN_GUARDED_BY(counting_) = 0;
};

// "17.data" -> 17.
std::optional<uint64_t> number_of(const std::string& file_name) {
  uint64_t number = 0;
  const char* end = file_name.data() + file_name.size();
  const auto parsed = std::from_chars(file_name.data(), end, number);
  if (parsed.ec != std::errc() || *parsed.ptr != '.') return std::nullopt;
  return number;
}

Result<std::vector<uint64_t>> numbers_in(const std::string& directory) {
  std::vector<uint64_t> numbers;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (const auto number = number_of(entry->path().filename().string())) numbers.push_back(*number);
  }
  if (error) return fail(error_from_errno(error.value(), fmt::format("list '{}'", directory)));
  std::ranges::sort(numbers);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

bool is_present(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Removes a staging file that nobody was promised; how many bytes of the disk it held.
uint64_t discard(const std::string& stem) {
  const std::string data = stem + std::string(kDataSuffix);
  struct stat status {};
  const bool found = ::stat(data.c_str(), &status) == 0;
  remove_file(data);
  remove_file(stem + std::string(kKeptSuffix) + ".tmp");
  remove_file(stem + std::string(kNoteSuffix) + ".tmp");
  return found ? static_cast<uint64_t>(status.st_blocks) * 512 : 0;
}

// What a file takes of its disk.
uint64_t disk_bytes(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512 : 0;
}

Result<KeptStagingFile> take(const std::string& stem, uint64_t number, bool is_kept,
                             const std::shared_ptr<DiskStagingArea::Shared>& shared) {
  auto found = read_whole_file(stem + std::string(is_kept ? kKeptSuffix : kNoteSuffix));
  if (!found) return fail(std::move(found).error());
  const size_t note_end = is_kept ? found->size() : std::min(found->find(kNoteEnd), found->size());
  auto description = unseal(std::string_view(*found).substr(0, note_end));
  if (!description) return fail(std::move(description).error());
  auto data = open_file(stem + std::string(kDataSuffix), O_RDWR);
  if (!data) return fail(std::move(data).error());
  std::string log = note_end < found->size() ? found->substr(note_end + 1) : "";
  const uint64_t size_bytes = disk_bytes(data->get());
  shared->room.take_file(kRoot);
  auto file = std::make_unique<DiskStagingFile>(stem, number, std::move(*data), shared, true, kRoot);
  file->count(size_bytes);
  return KeptStagingFile{number, std::move(*description), is_kept, std::move(log), std::move(file)};
}

// Gives what was kept in the log files of its own. The bytes there may never have reached the disk, those in the log
// have; but where there is a description it is newer than the log, and stands for bytes that are durable.
Result<void> take_out(const std::string& directory, const std::vector<KeepLog::Left>& left) {
  for (const KeepLog::Left& kept : left) {
    const std::string stem = fmt::format("{}/{}", directory, kept.number);
    if (::access((stem + std::string(kKeptSuffix)).c_str(), F_OK) == 0) continue;
    if (auto written = replace_file(stem + std::string(kDataSuffix), kept.bytes); !written) return written;
    if (auto written = replace_file(stem + std::string(kKeptSuffix), seal(kept.description)); !written) return written;
  }
  return {};
}

}  // namespace

DiskStagingArea::Shared::Shared(const std::string& directory, uint64_t limit_bytes, uint64_t most_files)
    : room(
          limit_bytes, [directory] { return disk_room(directory).free_bytes; }, most_files, ::geteuid()),
      log(directory),
      spares(directory) {}

Result<std::unique_ptr<DiskStagingArea>> DiskStagingArea::open(const std::string& path, uint64_t limit_bytes,
                                                               uint64_t most_files) {
  std::string directory = path + "/staging";
  if (auto made = make_directories(directory); !made) return fail(std::move(made).error());
  auto lock = DirectoryLock::take(directory, path);
  if (!lock) return fail(std::move(lock).error());
  auto shared = std::make_shared<Shared>(directory, limit_bytes, most_files);
  const auto taken = shared->log.take_left([&](const auto& left) { return take_out(directory, left); });
  if (!taken) log::error("what was kept in '{}' stays where it is: {}", directory, taken.error().to_string());
  auto found = numbers_in(directory);
  if (!found) return fail(std::move(found).error());
  std::unique_ptr<DiskStagingArea> area(
      new DiskStagingArea(std::move(directory), std::move(*lock), std::move(shared), std::move(*found)));
  return area;
}

Result<void> DiskStagingArea::restore_directory() {
  const MutexLock lock(lock_mutex_);
  if (!lock_.is_removed()) return {};
  log::warning("somebody has emptied '{}': what is staged there can be published, but not kept", directory_);
  if (auto made = make_directories(directory_); !made) return made;
  auto taken = DirectoryLock::take(directory_, directory_);
  if (!taken) return fail(std::move(taken).error());
  lock_ = std::move(*taken);
  return {};
}

Result<std::unique_ptr<StagingFile>> DiskStagingArea::create(uint32_t user) {
  if (auto restored = restore_directory(); !restored) return fail(restored.error().in("create staging file"));
  if (auto added = shared_->room.add_file(user); !added) return fail(std::move(added).error());
  const uint64_t number = next_++;
  std::string stem = fmt::format("{}/{}", directory_, number);
  std::optional<UniqueFd> data = shared_->spares.take(stem + std::string(kDataSuffix));
  if (!data) {
    auto made = open_file(stem + std::string(kDataSuffix), O_RDWR | O_CREAT | O_EXCL);
    if (!made) {
      shared_->room.drop_file(user);
      return fail(std::move(made).error().in("create staging file"));
    }
    data = std::move(*made);
  }
  return std::make_unique<DiskStagingFile>(std::move(stem), number, std::move(*data), shared_, false, user);
}

Result<std::vector<KeptStagingFile>> DiskStagingArea::take_kept() {
  MutexLock lock(found_mutex_);
  std::vector<KeptStagingFile> kept;
  size_t discarded_files = 0;
  uint64_t discarded_bytes = 0;
  for (const uint64_t number : std::exchange(found_, {})) {
    const std::string stem = fmt::format("{}/{}", directory_, number);
    const bool is_kept = is_present(stem + std::string(kKeptSuffix));
    if (!is_kept && !is_present(stem + std::string(kNoteSuffix))) {
      discarded_bytes += discard(stem);
      ++discarded_files;
      continue;
    }
    auto taken = take(stem, number, is_kept, shared_);
    if (taken) {
      kept.push_back(std::move(*taken));
    } else {
      log::error("staging file '{}{}' was kept but cannot be used, and stays where it is: {}", stem, kDataSuffix,
                 taken.error().to_string());
    }
  }
  if (discarded_files > 0) {
    log::warning("removed {} staging files ({}) that an earlier process was still writing when it ended",
                 discarded_files, human_bytes(discarded_bytes));
  }
  return kept;
}

}  // namespace cairn
