// The kernel's side of the FUSE protocol, played by a test over a socket pair: no mount, no root, and the test decides
// what is asked when.
#pragma once

#include <linux/fuse.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace cairn {

// A request's body: structures as they are in memory, strings with their NUL.
template <class... Parts>
std::string packed(const Parts&... parts) {
  std::string body;
  const auto append = [&body](const auto& part) {
    if constexpr (std::is_convertible_v<decltype(part), std::string_view>) {
      body.append(std::string_view(part)).push_back('\0');
    } else {
      body.append(reinterpret_cast<const char*>(&part), sizeof part);
    }
  };
  (append(parts), ...);
  return body;
}

// Thread-safety: none; one test thread.
class FakeKernel {
 public:
  struct Reply {
    int error = 0;  // as system calls have it: ENOENT, or 0
    std::string body;

    // The structure at `offset` of the body; zeros past its end.
    template <class T>
    [[nodiscard]] T as(size_t offset = 0) const {
      T value{};
      if (offset + sizeof value <= body.size()) std::memcpy(&value, body.data() + offset, sizeof value);
      return value;
    }
  };
  struct StoredPages {
    uint64_t node = 0;
    uint64_t offset = 0;
    std::string bytes;
  };

  FakeKernel();
  ~FakeKernel();
  FakeKernel(const FakeKernel&) = delete;
  FakeKernel& operator=(const FakeKernel&) = delete;

  // The daemon's end, for FuseSession::Options::connection, which then owns it.
  [[nodiscard]] int daemon_end() const { return daemon_end_; }

  // Returns the request's number, to wait for or to interrupt.
  uint64_t send(uint32_t opcode, uint64_t node, const std::string& body = {});
  // With `passthrough`, as Linux 6.9 offers it.
  uint64_t send_init(bool passthrough = false);
  void interrupt(uint64_t request);
  // The answer to `request`, whatever else is answered before it. ETIMEDOUT and a test failure after 20 s.
  Reply wait(uint64_t request);
  Reply call(uint32_t opcode, uint64_t node, const std::string& body = {}) { return wait(send(opcode, node, body)); }
  // The next pages that the daemon puts into the page cache.
  StoredPages wait_for_pages();
  // An answer has come that nobody has waited for yet.
  [[nodiscard]] bool has_answer(uint64_t request);

  // Requests come from this thread from now on.
  void set_caller(uint32_t thread) { caller_ = thread; }
  // And from this user.
  void set_user(uint32_t uid) { user_ = uid; }

  // The mount is gone.
  void hang_up();

 private:
  bool receive(int timeout_ms);
  void sort(const std::string& packet);

  int kernel_end_ = -1;
  int daemon_end_ = -1;
  uint64_t next_unique_ = 2;
  uint32_t caller_ = 4711;
  uint32_t user_ = 1000;
  std::map<uint64_t, Reply> replies_;
  std::vector<StoredPages> pages_;
};

}  // namespace cairn
