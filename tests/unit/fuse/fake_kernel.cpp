#include "tests/unit/fuse/fake_kernel.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace cairn {

namespace {

constexpr int kPatienceMs = 20'000;
constexpr size_t kMaxPacketBytes = 2U << 20;

}  // namespace

FakeKernel::FakeKernel() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  kernel_end_ = ends[0];
  daemon_end_ = ends[1];
}

FakeKernel::~FakeKernel() { hang_up(); }

void FakeKernel::hang_up() {
  if (kernel_end_ >= 0) ::close(std::exchange(kernel_end_, -1));
}

uint64_t FakeKernel::send(uint32_t opcode, uint64_t node, const std::string& body) {
  fuse_in_header header{};
  header.len = static_cast<uint32_t>(sizeof header + body.size());
  header.opcode = opcode;
  header.unique = next_unique_;
  header.nodeid = node;
  header.uid = user_;
  header.gid = 100;
  header.pid = caller_;
  next_unique_ += 2;  // odd numbers are the kernel's own, for interrupts
  const std::string packet = std::string(reinterpret_cast<const char*>(&header), sizeof header) + body;
  EXPECT_EQ(::send(kernel_end_, packet.data(), packet.size(), MSG_NOSIGNAL), static_cast<ssize_t>(packet.size()));
  return header.unique;
}

uint64_t FakeKernel::send_init(bool passthrough) {
  fuse_init_in terms{};
  terms.major = FUSE_KERNEL_VERSION;
  terms.minor = FUSE_KERNEL_MINOR_VERSION;
  terms.max_readahead = 128U << 10;
  terms.flags = ~0U & ~static_cast<uint32_t>(FUSE_INIT_EXT);  // able to do everything
  if (passthrough) {
    terms.flags |= FUSE_INIT_EXT;
    terms.flags2 = 1U << (37 - 32);  // FUSE_PASSTHROUGH
  }
  return send(FUSE_INIT, 0, packed(terms));
}

void FakeKernel::interrupt(uint64_t request) {
  fuse_interrupt_in body{};
  body.unique = request;
  send(FUSE_INTERRUPT, 0, packed(body));
}

FakeKernel::Reply FakeKernel::wait(uint64_t request) {
  while (!replies_.contains(request)) {
    if (receive(kPatienceMs)) continue;
    ADD_FAILURE() << "no answer to request " << request;
    return {ETIMEDOUT, {}};
  }
  return std::move(replies_.extract(request).mapped());
}

FakeKernel::StoredPages FakeKernel::wait_for_pages() {
  while (pages_.empty()) {
    if (receive(kPatienceMs)) continue;
    ADD_FAILURE() << "no pages";
    return {};
  }
  StoredPages first = std::move(pages_.front());
  pages_.erase(pages_.begin());
  return first;
}

bool FakeKernel::has_answer(uint64_t request) {
  while (receive(0)) {
  }
  return replies_.contains(request);
}

bool FakeKernel::receive(int timeout_ms) {
  pollfd readable{kernel_end_, POLLIN, 0};
  if (::poll(&readable, 1, timeout_ms) <= 0) return false;
  std::string packet(kMaxPacketBytes, '\0');
  const ssize_t received = ::recv(kernel_end_, packet.data(), packet.size(), 0);
  if (received < static_cast<ssize_t>(sizeof(fuse_out_header))) return false;
  packet.resize(static_cast<size_t>(received));
  sort(packet);
  return true;
}

void FakeKernel::sort(const std::string& packet) {
  fuse_out_header header{};
  std::memcpy(&header, packet.data(), sizeof header);
  EXPECT_EQ(header.len, packet.size());
  Reply reply{-header.error, packet.substr(sizeof header)};
  if (header.unique != 0) {
    EXPECT_TRUE(replies_.emplace(header.unique, std::move(reply)).second) << "answered twice: " << header.unique;
    return;
  }
  ASSERT_EQ(header.error, FUSE_NOTIFY_STORE) << "the only notification we send";
  const auto store = reply.as<fuse_notify_store_out>();
  pages_.push_back({store.nodeid, store.offset, reply.body.substr(sizeof store)});
  EXPECT_EQ(pages_.back().bytes.size(), store.size);
}

}  // namespace cairn
