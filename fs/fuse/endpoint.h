// What every request works with: our end of one mount. libfuse carries a pointer to it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "fs/file_system.h"
#include "fs/fuse/error_log.h"
#include "fs/fuse/handle_users.h"
#include "fs/fuse/interrupts.h"
#include "fs/fuse/ownership.h"
#include "fs/fuse/passthrough.h"

namespace cairn {

struct EndpointOptions {
  std::chrono::nanoseconds request_timeout{0};
  std::chrono::nanoseconds publish_timeout{0};  // for close and fsync, which may have many bytes to send
  CallerPatience patience{};
  std::string proc_directory;
  uint32_t max_read_ahead_bytes = 0;
  Ownership ownership{};
  bool ids_may_be_mapped = true;  // clones of the mount may show other ids
};

// Thread-safety: as its parts. Ownership: borrows the file system.
struct Endpoint {
  Endpoint(FileSystem& file_system, const EndpointOptions& wanted)
      : files(file_system),
        options(wanted),
        callers(wanted.proc_directory),
        users(callers),
        interrupts(callers, wanted.patience) {}

  FileSystem& files;
  const EndpointOptions options;
  bool terms_sent = false;          // to the kernel, before any thread but the owner's runs
  PassthroughTerms passthrough{};   // likewise
  std::function<void()> destroyed;  // the kernel said that this mount is over
  // Makes the kernel let go of pages that are older than the file's bytes (PagePusher::forget).
  std::function<void(NodeId node, uint64_t from, uint64_t length)> forget_pages;
  std::stop_source stop;  // ends every request in flight
  const Callers callers;
  HandleUsers users;
  Interrupts interrupts;
  ErrorLog errors;
};

}  // namespace cairn
