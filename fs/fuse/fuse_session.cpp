#include "fs/fuse/fuse_session.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/log.h"
#include "fs/fuse/connection_io.h"
#include "fs/fuse/endpoint.h"
#include "fs/fuse/libfuse.h"
#include "fs/fuse/libfuse_log.h"
#include "fs/fuse/mount_check.h"
#include "fs/fuse/mount_device.h"
#include "fs/fuse/operations.h"
#include "fs/fuse/page_pusher.h"
#include "fs/fuse/passthrough.h"
#include "fs/fuse/request_loop.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kFirstRequestTimeout{10};

// libfuse's argument vector. Commas in values (a path in the source may have some) are escaped.
class Arguments {
 public:
  explicit Arguments(const FuseSession::Options& options) {
    add("fsname=" + options.source);
    add("subtype=cairnfs");
    add("default_permissions");
    if (options.allow_other) add("allow_other");
    if (options.read_only) add("ro");
    for (const std::string& option : options.extra) add(option);
    fuse_opt_add_arg(&arguments_, "cairnfs");
    fuse_opt_add_arg(&arguments_, "-o");
    fuse_opt_add_arg(&arguments_, options_);
  }
  ~Arguments() {
    fuse_opt_free_args(&arguments_);
    std::free(options_);
  }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  fuse_args* get() { return &arguments_; }

 private:
  void add(const std::string& option) { fuse_opt_add_opt_escaped(&options_, option.c_str()); }

  char* options_ = nullptr;
  fuse_args arguments_{0, nullptr, 0};
};

Result<void> fail_as_libfuse_says(std::string_view what) {
  const std::string complaint = take_libfuse_complaint();
  return fail(Errc::io, "{}: {}", what, complaint.empty() ? "libfuse gave no reason" : complaint);
}

int store_pages(fuse_session* session, NodeId node, uint64_t offset, ByteView bytes) {
  fuse_bufvec vector{};
  vector.count = 1;
  vector.buf[0].size = bytes.size();
  vector.buf[0].mem = const_cast<std::byte*>(bytes.data());  // libfuse only reads it
  return fuse_lowlevel_notify_store(session, node, static_cast<off_t>(offset), &vector, fuse_buf_copy_flags{});
}

// libfuse itself lets in root and the owner only, by the ids in each request: with mapped ids there are none.
bool has_option(const std::vector<std::string>& options, std::string_view name) {
  return std::ranges::find(options, name) != options.end();
}

}  // namespace

void FuseSession::Destroy::operator()(fuse_session* session) const { fuse_session_destroy(session); }

FuseSession::FuseSession(FileSystem& files, FileSystemControl& control, Options options)
    : files_(files), control_(control), options_(std::move(options)) {}

Result<std::unique_ptr<FuseSession>> FuseSession::open(FileSystem& files, FileSystemControl& control, Options options) {
  capture_libfuse_log();
  std::unique_ptr<FuseSession> session(new FuseSession(files, control, std::move(options)));
  if (auto connected = session->connect(); !connected) return fail(connected.error());
  return session;
}

FuseSession::~FuseSession() {
  if (pusher_) pusher_->stop(options_.end_patience);
  if (endpoint_) endpoint_->destroyed = nullptr;  // libfuse says it once more, to a loop that is gone
  unmount();
  if (!stuck_) return;
  (void)loop_.release();
  (void)session_.release();
  (void)endpoint_.release();
}

Result<void> FuseSession::connect() {
  endpoint_ = std::make_unique<Endpoint>(
      files_,
      EndpointOptions{options_.request_timeout, options_.publish_timeout, options_.patience, options_.proc_directory,
                      options_.max_read_ahead_bytes, options_.ownership, !has_option(options_.extra, "allow_root")});
  const fuse_lowlevel_ops operations = all_operations();
  Arguments arguments(options_);
  session_.reset(fuse_session_new(arguments.get(), &operations, sizeof operations, endpoint_.get()));
  if (!session_) return fail_as_libfuse_says("mount options");
  receive_pages();
  if (auto connected = options_.connection ? use_own_io(session_.get(), *options_.connection) : mount(); !connected) {
    return connected;
  }
  loop_ = std::make_unique<RequestLoop>(session_.get(), options_.work_slots,
                                        [this](int32_t caller) { return endpoint_->interrupts.is_dying(caller); });
  endpoint_->destroyed = [this] { stop(); };
  const auto depth = stack_depth_for(options_.native_directory);
  endpoint_->passthrough.stack_depth = depth.value_or(0);
  if (auto served = loop_->serve_first(kFirstRequestTimeout); !served) return served;
  raise_read_ahead();
  control_.set_backings(open_backings());
  return {};
}

Result<void> FuseSession::mount() {
  if (auto checked = check_mountpoint(options_.mountpoint, options_.allow_nonempty); !checked) return checked;
  if (auto checked = check_fuse_device(); !checked) return checked;
  if (options_.allow_other) {
    if (auto checked = check_allow_other(); !checked) return checked;
  }
  if (fuse_session_mount(session_.get(), options_.mountpoint.c_str()) != 0) {
    return fail_as_libfuse_says(fmt::format("mount {}", options_.mountpoint));
  }
  if (!options_.follow_symlinks) {
    if (auto set = forbid_symlinks(options_.mountpoint); !set) return fail(set.error().in("nosymfollow"));
  }
  return use_own_io(session_.get(), fuse_session_fd(session_.get()));
}

void FuseSession::receive_pages() {
  const auto store = [session = session_.get()](NodeId node, uint64_t offset, ByteView bytes) {
    return store_pages(session, node, offset, bytes);
  };
  const auto forget = [session = session_.get()](NodeId node, uint64_t from, uint64_t length) {
    // ENOENT: it knows nothing of the node.
    fuse_lowlevel_notify_inval_inode(session, node, static_cast<off_t>(from), static_cast<off_t>(length));
  };
  pusher_ = std::make_shared<PagePusher>(store, options_.page_queue_bytes, forget);
  endpoint_->forget_pages = [pusher = pusher_.get()](NodeId node, uint64_t from, uint64_t length) {
    pusher->forget(node, from, length);
  };
  control_.set_change_sink([pusher = pusher_](NodeId node, uint64_t from) { pusher->forget(node, from); });
  control_.set_page_sink([pusher = pusher_](NodeId node, uint64_t offset, ByteView bytes, const SharedBuffer& chunk) {
    if (!bytes.empty()) return pusher->push(node, offset, bytes, chunk);
    pusher->drain(node);
    return true;
  });
}

void FuseSession::raise_read_ahead() {
  if (options_.connection) return;
  const auto device = device_of_mount(options_.mountpoint);
  if (!device) return log::warning("the mount's device is unknown: {}", device.error().message());
  device_ = *device;
  const auto set = set_read_ahead(*device, options_.max_read_ahead_bytes);
  if (!set) log::info("read-ahead stays at the kernel's 128 KiB: {}", set.error().message());
}

// Or why the kernel reads nothing by itself.
Result<std::shared_ptr<Backings>> FuseSession::open_backings() {
  if (options_.native_directory.empty()) return fail(Errc::unsupported, "{}", options_.why_not_native);
  if (!endpoint_->passthrough.offered) return fail(Errc::unsupported, "the kernel has no FUSE passthrough (Linux 6.9)");
  auto backings = std::make_shared<DeviceBackings>(fuse_session_fd(session_.get()));
  if (auto works = backings->probe(options_.native_directory); !works) {
    log::info("no file is read natively: {}", works.error().to_string());
    return fail(std::move(works).error());
  }
  backings_ = std::move(backings);
  return backings_;
}

Result<void> FuseSession::run() {
  auto result = loop_->run(options_.stop_grace, options_.end_patience, [this] { end_requests(); });
  stuck_ = !result && result.error().code() == Errc::deadline_exceeded;
  unmount();
  return result;
}

// A push may wait for a page that only a served request gives free, so it ends before the threads that serve.
void FuseSession::end_requests() {
  endpoint_->stop.request_stop();
  if (pusher_->stop(options_.end_patience) || !device_) return;
  const auto aborted = abort_connection(*device_);
  if (!aborted) log::error("cannot abort the connection: {}", aborted.error().message());
}

void FuseSession::stop() { loop_->stop(); }

void FuseSession::unmount() {
  if (backings_) backings_->end();
  // Closing the device ends the connection for programs that still have files open; the name goes lazily.
  if (session_) fuse_session_unmount(session_.get());
}

}  // namespace cairn
