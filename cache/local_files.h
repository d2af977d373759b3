// Small steps on local files that the cache and the staging area share.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn {

// open(2) with O_CLOEXEC, O_NOFOLLOW and mode 0600; errors name the path. With O_CREAT, a file that is there already
// and is another user's is permission_denied.
Result<UniqueFd> open_file(const std::string& path, int flags);

// Creates `path` and its parents with mode 0700 as far as they are missing. permission_denied if `path` is another
// user's, or others may take away what is put there: everybody's bytes are to be in it.
Result<void> make_directories(const std::string& path);

// The open file has no name any more: its room on the disk comes back with its last descriptor.
bool was_removed(int fd);

// Makes the names in a directory durable.
Result<void> sync_directory(const std::string& path);

// All of `bytes` to `offset`, all of `out` from there. Failures: io (also where the file ends too early), no_space.
Result<void> write_at(int fd, uint64_t offset, ByteView bytes);
Result<void> read_at(int fd, uint64_t offset, MutableByteView out);

// Of the file system that `path` is on, for everybody, also where the super-user has more. One that cannot be asked is
// no reason to refuse: it is taken for endless.
struct DiskRoom {
  uint64_t free_bytes = 0;
  uint64_t total_bytes = 0;
};
DiskRoom disk_room(const std::string& path);

Result<std::string> read_whole_file(const std::string& path);

// Writes `content` at `path` so that after a power loss it is there whole, or what was there before is.
Result<void> replace_file(const std::string& path, std::string_view content);

}  // namespace cairn
