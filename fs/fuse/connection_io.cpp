#include "fs/fuse/connection_io.h"

#include <linux/fuse.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "fs/fuse/endpoint.h"
#include "fs/fuse/libfuse.h"
#include "fs/fuse/passthrough.h"

namespace cairn {

namespace {

// FUSE_ALLOW_IDMAP of Linux 6.12, in the words of `flags2`; older headers do not have it, and older kernels ignore it.
constexpr uint32_t kAllowIdmap = 1U << (40 - 32);

// libfuse 3.14 does not know FUSE_ALLOW_IDMAP, by which the kernel lets the mount be cloned with other ids (containers,
// mount_setattr(2)). It may, since the kernel itself checks permissions: of the ids in a request we use those of
// creations only, which it has mapped back. And it accepts FUSE_CAP_PARALLEL_DIROPS but does not pass it on: the kernel
// then serves one lookup of a directory at a time, and one slow answer would hold up everybody else there.
void correct_terms(const iovec* parts, int count, const Endpoint& endpoint) {
  if (count < 2 || parts[1].iov_len < sizeof(fuse_init_out)) return;
  auto* terms = static_cast<fuse_init_out*>(parts[1].iov_base);
  terms->flags |= FUSE_PARALLEL_DIROPS | FUSE_INIT_EXT;
  if (endpoint.options.ids_may_be_mapped) terms->flags2 |= kAllowIdmap;
  accept_offer(endpoint.passthrough, *terms);
}

// The first thing we send is the answer to INIT; libfuse sends it while no other thread runs.
void before_sending(const iovec* parts, int count, void* userdata) {
  auto* endpoint = static_cast<Endpoint*>(userdata);
  if (endpoint->terms_sent) return;
  endpoint->terms_sent = true;
  correct_terms(parts, count, *endpoint);
}

// The first thing we receive is INIT.
ssize_t received(const void* bytes, ssize_t size, void* userdata) {
  auto* endpoint = static_cast<Endpoint*>(userdata);
  if (size > 0 && !endpoint->terms_sent) {
    hear_offer({static_cast<const std::byte*>(bytes), static_cast<size_t>(size)}, endpoint->passthrough);
  }
  return size;
}

ssize_t send_to_device(int fd, iovec* parts, int count, void* userdata) {
  before_sending(parts, count, userdata);
  return ::writev(fd, parts, count);
}
ssize_t receive_from_device(int fd, void* to, size_t size, void* userdata) {
  return received(to, ::read(fd, to, size), userdata);
}

ssize_t send_packet(int fd, iovec* parts, int count, void* userdata) {
  before_sending(parts, count, userdata);
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = static_cast<size_t>(count);
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}
ssize_t receive_packet(int fd, void* to, size_t size, void* userdata) {
  const ssize_t count = ::recv(fd, to, size, 0);
  if (count != 0) return received(to, count, userdata);
  errno = ENODEV;  // what /dev/fuse says when the mount has ended
  return -1;
}

bool is_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

}  // namespace

Result<void> use_own_io(fuse_session* session, int connection) {
  const bool socket = is_socket(connection);
  fuse_custom_io io{};
  io.writev = socket ? send_packet : send_to_device;
  io.read = socket ? receive_packet : receive_from_device;
  const int result = fuse_session_custom_io(session, &io, connection);
  if (result != 0) return fail(error_from_errno(-result, "use the connection to the kernel"));
  return {};
}

}  // namespace cairn
