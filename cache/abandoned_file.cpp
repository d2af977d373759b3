#include "cache/abandoned_file.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace cairn {

namespace {

struct Range {
  uintptr_t begin = 0;
  uintptr_t end = 0;
};

// The kernel's own name of an open file: "/cache/blocks/data.mdb", with " (deleted)" behind it if it is.
// /proc/self/maps has the same.
std::string name_of(const std::filesystem::path& link) {
  std::error_code gone;
  return std::filesystem::read_symlink(link, gone).string();
}

// "7f12a000-7f52a000 r--s 00000000 08:01 1234    /cache/blocks/data.mdb". By name and inode, as file systems with
// volumes of their own say another device here than stat does.
std::vector<Range> maps_of(const std::string& name, uint64_t inode) {
  std::vector<Range> maps;
  std::ifstream lines("/proc/self/maps");
  for (std::string line; std::getline(lines, line);) {
    Range range;
    uint64_t mapped = 0;
    int path_at = 0;
    const int read = std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %" SCNu64 " %n", &range.begin,
                                 &range.end, &mapped, &path_at);
    if (read == 3 && mapped == inode && line.substr(static_cast<size_t>(path_at)) == name) maps.push_back(range);
  }
  return maps;
}

std::vector<int> descriptors_of(const std::string& name, const struct stat& file) {
  std::vector<int> found;
  std::error_code failed;
  for (const auto& open : std::filesystem::directory_iterator("/proc/self/fd", failed)) {
    const std::string text = open.path().filename().string();
    int fd = -1;
    std::from_chars(text.data(), text.data() + text.size(), fd);
    struct stat status {};
    const bool is_same = name_of(open.path()) == name && ::fstat(fd, &status) == 0 && status.st_ino == file.st_ino &&
                         status.st_dev == file.st_dev;
    if (is_same) found.push_back(fd);
  }
  return found;
}

}  // namespace

void give_back_file(int fd) {
  struct stat file {};
  if (::fstat(fd, &file) != 0) return;
  const std::string name = name_of(fmt::format("/proc/self/fd/{}", fd));
  if (name.empty()) return;
  for (const Range& map : maps_of(name, file.st_ino)) {
    ::munmap(reinterpret_cast<void*>(map.begin), map.end - map.begin);
  }
  for (const int descriptor : descriptors_of(name, file)) ::close(descriptor);
}

}  // namespace cairn
