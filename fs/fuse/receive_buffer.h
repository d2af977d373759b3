// Memory for what the kernel sends.
#pragma once

#include <cstdlib>
#include <utility>

#include "fs/fuse/libfuse.h"

namespace cairn {

// Move-only. libfuse allocates the memory on first use: room for the largest WRITE, of which a small request touches
// one page.
class ReceiveBuffer {
 public:
  ReceiveBuffer() = default;
  ReceiveBuffer(ReceiveBuffer&& other) noexcept : buf_(std::exchange(other.buf_, fuse_buf{})) {}
  ReceiveBuffer& operator=(ReceiveBuffer&& other) noexcept {
    std::swap(buf_, other.buf_);
    return *this;
  }
  ~ReceiveBuffer() { std::free(buf_.mem); }

  [[nodiscard]] fuse_buf& buf() { return buf_; }
  [[nodiscard]] const void* bytes() const { return buf_.mem; }
  [[nodiscard]] size_t size() const { return buf_.size; }

 private:
  fuse_buf buf_{};
};

}  // namespace cairn
