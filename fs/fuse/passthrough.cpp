#include "fs/fuse/passthrough.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/ioctl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/unique_fd.h"

namespace cairn {

namespace {

#define CAIRN_LIBFUSE_KNOWS_PASSTHROUGH (FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17))

// linux/fuse.h of Linux 6.9, in the words of Linux 6.1's.
struct BackingMap {
  int32_t fd;
  uint32_t flags;
  uint64_t padding;
};
constexpr unsigned long kBackingOpen = _IOW(229, 1, BackingMap);
constexpr unsigned long kBackingClose = _IOW(229, 2, uint32_t);

#if !CAIRN_LIBFUSE_KNOWS_PASSTHROUGH
constexpr uint32_t kPassthrough = 1U << (37 - 32);  // in flags2
constexpr uint32_t kOpenNatively = 1U << 7;         // in open_flags
// max_stack_depth: the first word after flags2. In fuse_open_out it is the backing's number that has a word without a
// name.
constexpr size_t kStackDepthAt = offsetof(fuse_init_out, flags2) + sizeof(uint32_t);
constexpr size_t kBackingAt = offsetof(fuse_open_out, open_flags) + sizeof(uint32_t);
static_assert(kBackingAt + sizeof(int32_t) == sizeof(fuse_open_out));
#endif

}  // namespace

Result<uint32_t> stack_depth_for(const std::string& directory) {
  struct statfs info {};
  if (::statfs(directory.c_str(), &info) != 0) return fail(error_from_errno(errno, directory));
  const auto kind = static_cast<uint64_t>(info.f_type);
  return kind == OVERLAYFS_SUPER_MAGIC || kind == ECRYPTFS_SUPER_MAGIC ? 2 : 1;
}

#if CAIRN_LIBFUSE_KNOWS_PASSTHROUGH

void hear_offer(ByteView /*request*/, PassthroughTerms& /*terms*/) {}
void accept_offer(const PassthroughTerms& /*terms*/, fuse_init_out& /*answer*/) {}

void negotiate_passthrough(fuse_conn_info& connection, PassthroughTerms& terms) {
  terms.offered = (connection.capable & FUSE_CAP_PASSTHROUGH) != 0;
  if (!terms.offered || terms.stack_depth == 0) return;
  connection.want |= FUSE_CAP_PASSTHROUGH;
  connection.max_backing_stack_depth = terms.stack_depth - 1;  // libfuse counts what lies below us
}

int reply_native_open(fuse_req_t request, const fuse_file_info& info, int32_t backing) {
  fuse_file_info native = info;
  native.backing_id = backing;
  return fuse_reply_open(request, &native);
}

#else

void hear_offer(ByteView request, PassthroughTerms& terms) {
  fuse_in_header header{};
  fuse_init_in offer{};
  if (request.size() < sizeof header + sizeof offer) return;
  std::memcpy(&header, request.data(), sizeof header);
  if (header.opcode != FUSE_INIT) return;
  std::memcpy(&offer, request.data() + sizeof header, sizeof offer);
  terms.offered = (offer.flags & FUSE_INIT_EXT) != 0 && (offer.flags2 & kPassthrough) != 0;
}

void accept_offer(const PassthroughTerms& terms, fuse_init_out& answer) {
  if (!terms.offered || terms.stack_depth == 0) return;
  answer.flags |= FUSE_INIT_EXT;
  answer.flags2 |= kPassthrough;
  std::memcpy(reinterpret_cast<std::byte*>(&answer) + kStackDepthAt, &terms.stack_depth, sizeof terms.stack_depth);
}

void negotiate_passthrough(fuse_conn_info& /*connection*/, PassthroughTerms& /*terms*/) {}

int reply_native_open(fuse_req_t request, const fuse_file_info& info, int32_t backing) {
  fuse_open_out answer{};
  answer.fh = info.fh;
  answer.open_flags = kOpenNatively | (info.noflush ? FOPEN_NOFLUSH : 0U);
  std::memcpy(reinterpret_cast<std::byte*>(&answer) + kBackingAt, &backing, sizeof backing);
  return fuse_reply_buf(request, reinterpret_cast<const char*>(&answer), sizeof answer);
}

#endif

// libfuse's own calls want a request, which a close need not have.
Result<int32_t> DeviceBackings::open(int fd) {
  const ReaderLock lock(mutex_);
  if (device_ < 0) return fail(Errc::cancelled, "the mount has ended");
  const BackingMap map{fd, 0, 0};
  const int id = ::ioctl(device_, kBackingOpen, &map);
  if (id <= 0) return fail(error_from_errno(id < 0 ? errno : EIO, "FUSE_DEV_IOC_BACKING_OPEN"));
  return id;
}

void DeviceBackings::close(int32_t id) {
  const ReaderLock lock(mutex_);
  const auto number = static_cast<uint32_t>(id);
  if (device_ >= 0) ::ioctl(device_, kBackingClose, &number);
}

void DeviceBackings::end() {
  const WriterLock lock(mutex_);
  device_ = -1;
}

Result<void> DeviceBackings::probe(const std::string& directory) {
  const UniqueFd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.valid()) return fail(error_from_errno(errno, "a file without a name in " + directory));
  const auto opened = open(file.get());
  if (!opened && opened.error().posix() == EPERM) return fail(opened.error().in("only root may (CAP_SYS_ADMIN)"));
  if (!opened) return fail(opened.error());
  close(*opened);
  return {};
}

}  // namespace cairn
