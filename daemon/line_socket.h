// Lines of text over a Unix socket, each wait with a deadline.
#pragma once

#include <sys/un.h>

#include <chrono>
#include <string>
#include <string_view>

#include "base/request_context.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn {

// Failures: invalid_argument: longer than a socket's address can be.
Result<sockaddr_un> socket_address(const std::string& path);

// One end of a connection.
// Thread-safety: one reader and one writer at a time.
// Failures: deadline_exceeded, cancelled; unavailable: the other end is gone.
class LineSocket {
 public:
  explicit LineSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  // Failures: not_found: nothing is at `path`; unavailable: nobody listens there any more; permission_denied.
  static Result<LineSocket> connect(const std::string& path);

  // Without its newline. Failures also: invalid_argument: longer than a megabyte.
  Result<std::string> read_line(const RequestContext& context);
  // `line` has no newline.
  Result<void> write_line(std::string_view line, const RequestContext& context);
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Result<void> wait_for(short events, const RequestContext& context) const;
  Result<void> receive_more();

  UniqueFd fd_;
  std::string received_;  // not yet given out
};

}  // namespace cairn
