// A FileSystem as a mount.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fs/file_system.h"
#include "fs/file_system_control.h"
#include "fs/fuse/interrupts.h"
#include "fs/fuse/mount_device.h"
#include "fs/fuse/ownership.h"

struct fuse_session;

namespace cairn {

struct Endpoint;
class DeviceBackings;
class PagePusher;
class RequestLoop;

// Thread-safety: stop() may be called from any thread (not from a signal handler), the rest from the owner's.
// Ownership: borrows the file system, which must outlive it; is its page sink, and has its backings, until run()
// returns. Failures: open() explains in its message what is wrong with the mountpoint or with this host's FUSE, and the
// way out.
class FuseSession {
 public:
  struct Options {
    std::string mountpoint;
    std::string source;        // what `mount` and `df` show: the store's URL
    bool allow_other = false;  // users other than the one who mounts
    bool read_only = false;
    bool allow_nonempty = false;     // mount over a directory that has entries
    std::vector<std::string> extra;  // more mount options, one each: "noexec", "nosuid"
    bool follow_symlinks = true;     // false: nobody follows a link through this mount (root only)
    Ownership ownership{};
    size_t work_slots = 32;  // requests that are worked on at once, those that wait for the store apart
    uint32_t max_read_ahead_bytes = 1U << 20;
    uint64_t page_queue_bytes = 64U << 20;  // pages on their way into the kernel
    // Where the local files are that the kernel may read by itself (FUSE passthrough); "": nowhere, because of this.
    std::string native_directory{};
    std::string why_not_native = "nobody asked for it";
    std::chrono::nanoseconds request_timeout{std::chrono::seconds(60)};
    std::chrono::nanoseconds publish_timeout{std::chrono::hours(1)};  // close and fsync
    CallerPatience patience{};                                        // with callers who are about to leave
    std::string proc_directory = "/proc";                             // where they are seen
    std::chrono::nanoseconds stop_grace{std::chrono::seconds(5)};     // between stop() and the end of what still runs
    std::chrono::nanoseconds end_patience{std::chrono::seconds(10)};  // with requests that heed no stop token
    // Instead of mounting: a connection that somebody else made, /dev/fuse or one end of a SOCK_SEQPACKET pair. The
    // session owns it from here on.
    std::optional<int> connection;
  };

  // When it returns, the mount is there and its terms are agreed; requests wait for run().
  // `files` and `control` are one filesystem.
  static Result<std::unique_ptr<FuseSession>> open(FileSystem& files, FileSystemControl& control, Options options);
  // Unmounts, if run() has not: lazily, so that it never waits for programs that still use files there.
  ~FuseSession();
  FuseSession(const FuseSession&) = delete;
  FuseSession& operator=(const FuseSession&) = delete;

  // Serves requests until somebody unmounts, or stop(). Then the mount is gone, and a program that still has a
  // file open there gets ENOTCONN. Failures: io, if the device failed; deadline_exceeded, if a request is stuck in a
  // call that nothing can end (a file of a dead NFS server): the mount is gone then, too, but the stuck threads still
  // use the file system, so the process must end without destroying it.
  Result<void> run();
  // Ends run() within Options::stop_grace + end_patience.
  void stop();

 private:
  FuseSession(FileSystem& files, FileSystemControl& control, Options options);
  Result<void> connect();
  Result<void> mount();
  void receive_pages();
  void raise_read_ahead();
  Result<std::shared_ptr<Backings>> open_backings();
  void end_requests();
  void unmount();

  struct Destroy {
    void operator()(fuse_session* session) const;
  };

  FileSystem& files_;
  FileSystemControl& control_;
  const Options options_;
  std::optional<MountDevice> device_;
  bool stuck_ = false;  // threads that did not end still use the parts below
  std::unique_ptr<Endpoint> endpoint_;
  std::unique_ptr<fuse_session, Destroy> session_;
  std::shared_ptr<PagePusher> pusher_;        // shared with the page sink, which the file system may hold longer
  std::shared_ptr<DeviceBackings> backings_;  // the same; nullptr: the kernel reads nothing by itself
  std::unique_ptr<RequestLoop> loop_;
};

}  // namespace cairn
