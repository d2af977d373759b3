#include "fs/fuse/reply.h"

#include <limits>

#include "base/check.h"
#include "fs/fuse/request.h"

namespace cairn {

namespace {

// What programs take as the size of their buffers (st_blksize): a compromise between few requests for those that
// stream through stdio or Python's open(), and little waste for those that seek and read a few bytes.
constexpr blksize_t kPreferredIoBytes = 128 << 10;

constexpr Nanos kSecond = 1'000'000'000;

timespec to_timespec(Nanos nanos) {
  Nanos seconds = nanos / kSecond;
  Nanos rest = nanos % kSecond;
  if (rest < 0) {  // before 1970: tv_nsec counts upwards all the same
    rest += kSecond;
    --seconds;
  }
  return {seconds, rest};
}

}  // namespace

mode_t file_type(Kind kind) {
  switch (kind) {
    case Kind::file: return S_IFREG;
    case Kind::directory: return S_IFDIR;
    case Kind::symlink: return S_IFLNK;
    case Kind::fifo: return S_IFIFO;
    case Kind::socket: return S_IFSOCK;
  }
  check_failed("a Kind has a file type");
}

Nanos from_timespec(const timespec& time) {
  constexpr Nanos kEarliest = std::numeric_limits<Nanos>::min();
  constexpr Nanos kLatest = std::numeric_limits<Nanos>::max();
  if (time.tv_sec < kEarliest / kSecond) return kEarliest;
  if (time.tv_sec >= kLatest / kSecond) return kLatest;
  return time.tv_sec * kSecond + time.tv_nsec;
}

struct stat to_stat(const NodeAttributes& attributes) {
  struct stat result {};
  result.st_ino = attributes.ino;
  result.st_mode = file_type(attributes.kind) | attributes.mode;
  result.st_nlink = attributes.nlink;
  result.st_uid = attributes.uid;
  result.st_gid = attributes.gid;
  result.st_size = static_cast<off_t>(attributes.size_bytes);
  result.st_blocks = static_cast<blkcnt_t>(attributes.blocks_512);
  result.st_blksize = kPreferredIoBytes;
  result.st_mtim = to_timespec(attributes.mtime);
  result.st_ctim = to_timespec(attributes.ctime);
  result.st_atim = result.st_mtim;  // there are no access times
  return result;
}

double to_seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

struct stat to_stat(fuse_req_t raw, const NodeAttributes& attributes) {
  return to_stat(endpoint_of(raw).options.ownership.shown(attributes));
}

fuse_entry_param to_entry(fuse_req_t raw, const NodeReply& reply) {
  fuse_entry_param entry{};
  entry.ino = reply.node;
  entry.attr = to_stat(raw, reply.attributes);
  entry.attr_timeout = to_seconds(reply.valid_for);
  entry.entry_timeout = entry.attr_timeout;
  return entry;
}

void reply_entry(fuse_req_t raw, FileSystem& files, const NodeReply& reply) {
  const fuse_entry_param entry = to_entry(raw, reply);
  if (fuse_reply_entry(raw, &entry) != 0) files.forget(reply.node, 1);
}

void reply_attributes(fuse_req_t raw, const NodeReply& reply) {
  const struct stat attributes = to_stat(raw, reply.attributes);
  fuse_reply_attr(raw, &attributes, to_seconds(reply.valid_for));
}

MutableByteView reply_buffer(size_t size_bytes) {
  thread_local Buffer buffer;
  if (buffer.size() < size_bytes) buffer = Buffer(size_bytes);
  return buffer.mutable_view().first(size_bytes);
}

void reply_bytes(fuse_req_t raw, ByteView bytes) {
  fuse_reply_buf(raw, reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace cairn
