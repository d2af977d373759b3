// Small steps on local files that the cache and the staging area share.
#pragma once

#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

// Owns a file descriptor; -1 is none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd();

  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC and mode 0600; errors name the path.
Result<UniqueFd> open_file(const std::string& path, int flags);

// Creates `path` and its parents with mode 0700 as far as they are missing.
Result<void> make_directories(const std::string& path);

// Makes the names in a directory durable.
Result<void> sync_directory(const std::string& path);

Result<std::string> read_whole_file(const std::string& path);

// Writes `content` at `path` so that after a power loss it is there whole, or what was there before is.
Result<void> replace_file(const std::string& path, std::string_view content);

}  // namespace cairn
