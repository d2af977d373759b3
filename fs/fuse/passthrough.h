// FUSE passthrough: files that the kernel reads by itself (docs/decisions/0015-passthrough.md). libfuse has it
// from 3.17 on; with an older one the words of the protocol are written here.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/mutex.h"
#include "fs/backing.h"
#include "fs/file_system.h"
#include "fs/fuse/libfuse.h"

struct fuse_init_out;

namespace cairn {

// What is agreed while a mount begins.
struct PassthroughTerms {
  // How many file systems that stack on others may lie below and including the mount: 1, for files on a disk; 2, if
  // they are on overlayfs themselves, and then no overlayfs can have this mount below it. 0: no passthrough.
  uint32_t stack_depth = 0;
  bool offered = false;  // by the kernel
};

// For files in `directory`. Failures: it cannot be looked at.
Result<uint32_t> stack_depth_for(const std::string& directory);

// With a libfuse that knows nothing of it: `request` is what the kernel sent, perhaps its INIT; `answer` the one to
// that.
void hear_offer(ByteView request, PassthroughTerms& terms);
void accept_offer(const PassthroughTerms& terms, fuse_init_out& answer);
// With one that does.
void negotiate_passthrough(fuse_conn_info& connection, PassthroughTerms& terms);

// As fuse_reply_open, for a reply with a backing.
int reply_native_open(fuse_req_t request, const fuse_file_info& info, int32_t backing);

// Through the mount's own device.
class DeviceBackings final : public Backings {
 public:
  // Borrows `device` until end().
  explicit DeviceBackings(int device) : device_(device) {}

  // Failures: permission_denied (EPERM: only root may); unsupported and others, as the kernel says it.
  Result<int32_t> open(int fd) override;
  void close(int32_t id) override;
  // The device goes, and all that was opened with it.
  void end();

  // Whether it works for files in `directory`: tried with one that has no name. Failures: as open's.
  Result<void> probe(const std::string& directory);

 private:
  SharedMutex mutex_;
  int device_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
