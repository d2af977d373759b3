#include "cache/spare_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/log.h"
#include "cache/local_files.h"

namespace cairn {

namespace {

constexpr std::string_view kPrefix = "spare.";
constexpr size_t kMostSpares = 4096;

}  // namespace

SpareFiles::SpareFiles(std::string directory) : directory_(std::move(directory)) {
  std::vector<std::filesystem::path> left;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, none)) {
    if (entry.path().filename().string().starts_with(kPrefix)) left.push_back(entry.path());
  }
  for (const auto& path : left) std::filesystem::remove(path, none);
}

SpareFiles::~SpareFiles() {
  for (const uint64_t spare : spares_) ::unlink(path_of(spare).c_str());
}

std::string SpareFiles::path_of(uint64_t spare) const { return fmt::format("{}/{}{}", directory_, kPrefix, spare); }

void SpareFiles::give(const std::string& path) {
  const MutexLock lock(mutex_);
  const std::string spare = path_of(next_);
  const bool has_room = spares_.size() < kMostSpares;
  // Its room on the disk goes back at once, as if it had been removed.
  if (has_room && ::truncate(path.c_str(), 0) == 0 && ::rename(path.c_str(), spare.c_str()) == 0) {
    spares_.push_back(next_++);
    return;
  }
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return;
  log::warning("{}", error_from_errno(errno, fmt::format("remove '{}'", path)).message());
}

std::optional<UniqueFd> SpareFiles::take(const std::string& path) {
  const MutexLock lock(mutex_);
  while (!spares_.empty()) {
    const std::string spare = path_of(spares_.back());
    spares_.pop_back();
    auto file = open_file(spare, O_RDWR | O_TRUNC);
    if (file && ::rename(spare.c_str(), path.c_str()) == 0) return std::move(*file);
  }
  return std::nullopt;
}

}  // namespace cairn
