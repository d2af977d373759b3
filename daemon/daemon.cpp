#include "daemon/daemon.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/log.h"
#include "base/thread.h"
#include "base/units.h"
#include "base/wait.h"
#include "daemon/mount_service.h"
#include "daemon/predecessor.h"
#include "daemon/service_manager.h"

namespace cairn {

namespace {

// What may come on top of shutdown-timeout before the process ends without ceremony: a store that hangs in a system
// call (a dead NFS server) cannot be waited for.
constexpr std::chrono::seconds kLastGrace{20};

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// Thousands of threads may wait for the store. Of a stack of the usual 8 MiB each would take 2 MiB at its first use,
// where the kernel gives out huge pages to all.
void make_small_stacks() {
  constexpr size_t kStackBytes = 1 << 20;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
}

// The daemon must outlive a full memory as long as others can give way: its death is a SIGBUS to everybody who has a
// file mapped. And it holds a file for each draft.
void prepare_process() {
  ::umask(0077);  // what it makes is its own: cache, log, socket
  make_small_stacks();
  std::ofstream("/proc/self/oom_score_adj") << "-800";  // refused to ordinary users, who keep the default
  // Keys and everybody's bytes are in here: no core is written, and no process but root's reads this one's memory.
  ::prctl(PR_SET_DUMPABLE, 0);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  // glibc raises this limit when large blocks are freed, and then keeps chunk buffers in fragmented heaps: 580 MiB
  // where 376 are in use (32 readers, memory = 512MiB), and no faster.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  // LMDB allocates and frees a batch of pages for each commit: the kernel would clear them anew each time.
  ::mallopt(M_TRIM_THRESHOLD, 32 << 20);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
}

// Takes SIGTERM and SIGINT out of the whole process and gives them to `on_signal`, on a thread of its own: 1 for the
// first, 2 for the second… Make it before any other thread.
class SignalWatch {
 public:
  explicit SignalWatch(std::function<void(int count)> on_signal) : on_signal_(std::move(on_signal)) {
    const sigset_t set = ending_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    thread_ = Thread("signals", [this](const std::stop_token& stop) { run(stop); });
  }

 private:
  void run(const std::stop_token& stop) const {
    const sigset_t set = ending_signals();
    const timespec interval{0, 100'000'000};  // how soon the end of this object is noticed
    for (int count = 0; !stop.stop_requested();) {
      if (sigtimedwait(&set, nullptr, &interval) > 0) on_signal_(++count);
    }
  }

  const std::function<void(int)> on_signal_;
  Thread thread_;
};

// Ends the process if it has not gone away by itself in time.
class LastResort {
 public:
  explicit LastResort(std::chrono::nanoseconds grace)
      : thread_("last resort", [grace](const std::stop_token& stop) {
          (void)pause(grace, RequestContext::within(grace, Cause::maintenance, stop));
          if (stop.stop_requested()) return;
          log::error("the end takes too long: going now; what is unpublished is kept for the next mount");
          ::_exit(1);
        }) {}

 private:
  Thread thread_;
};

// Leads signals to the session, also those that come before there is one.
class EndSwitch {
 public:
  void on_signal(int count) {
    const MutexLock lock(mutex_);
    log::info("{}", count == 1 ? "told to end" : "told again: publishing no more");
    requested_ = true;
    if (session_ != nullptr) session_->stop();
    if (count > 1) publishing_.request_stop();
  }
  // From now on a signal ends `session`; nullptr: nothing.
  void attach(FuseSession* session) {
    const MutexLock lock(mutex_);
    session_ = session;
    if (session != nullptr && requested_) session->stop();
  }
  [[nodiscard]] std::stop_token publishing() { return publishing_.get_token(); }

 private:
  Mutex mutex_;
  FuseSession* session_ CAIRN_GUARDED_BY(mutex_) = nullptr;
  bool requested_ CAIRN_GUARDED_BY(mutex_) = false;
  std::stop_source publishing_;
};

void publish_the_rest(FileSystemControl& files, std::chrono::nanoseconds timeout, std::stop_token stop) {
  const Result<void> published = files.shut_down(RequestContext::within(timeout, Cause::write_back, std::move(stop)));
  if (!published) log::error("not everything is published: {}", published.error().to_string());
  for (const UnpublishedFile& file : files.unpublished()) {
    log::warning("kept for the next mount: /{} ({}): {}", file.path, human_bytes(file.size_bytes), file.error);
  }
}

// The command that started the daemon is told the error; the log has it for later.
Error logged(const Error& error) {
  log::error("{}", error.to_string());
  return error;
}

log::Level log_level(const Settings& settings) {
  if (settings.log_level == "debug") return log::Level::debug;
  if (settings.log_level == "warning") return log::Level::warning;
  if (settings.log_level == "error") return log::Level::error;
  return log::Level::info;
}

// Threads that are stuck still use the store: it cannot be taken down below them. What could not be published
// is kept by now.
[[noreturn]] void leave_stuck_threads(std::unique_ptr<ControlServer> control) {
  control.reset();  // once the commands that wait for the end have their answers
  ::_exit(1);
}

}  // namespace

Result<void> serve_mount(const MountRequest& request, const HostEnvironment& host, MountWatcher& watcher) {
  prepare_process();
  std::optional<LastResort> last_resort;  // first, so that it also watches everything below being destroyed
  EndSwitch end;
  // Before any other thread, so that all of them inherit its mask.
  const SignalWatch signals([&end](int count) { end.on_signal(count); });

  Result<MountPlan> plan = plan_mount(request, host, [&watcher](const std::string& text) { watcher.notice(text); });
  if (!plan) return fail(plan.error());
  const std::chrono::nanoseconds shutdown_timeout = plan->store.settings.shutdown_timeout;
  // From here on the log is the plan's file: what goes wrong below must be found there.
  watcher.planned(*plan);
  log::configure(log_level(plan->store.settings), plan->log_file);
  const auto free = await_predecessor(plan->control_socket, request.settings.mount_timeout,
                                      [&watcher](const std::string& text) { watcher.notice(text); });
  if (!free) return fail(logged(free.error()));
  const Result<std::unique_ptr<MountedStore>> store = MountedStore::open(std::move(plan->store));
  if (!store) return fail(logged(store.error()));
  // The socket before the mount: a command that finds the mount can ask its daemon, and a second daemon for the
  // mountpoint is refused before it mounts over the first.
  MountService service(**store, {plan->session.source, plan->session.mountpoint, plan->cache_dir, plan->log_file,
                                 plan->group_memory_bytes});
  Result<std::unique_ptr<ControlServer>> control = ControlServer::open(
      plan->control_socket, [&service](const Json& asked, const ProgressFunction& progress,
                                       const std::stop_token& stop) { return service.handle(asked, progress, stop); });
  if (!control) return fail(logged(control.error()));
  Result<std::unique_ptr<FuseSession>> session =
      FuseSession::open((*store)->file_system(), (*store)->control(), plan->session);
  if (!session) return fail(logged(session.error()));

  log::info("{} is mounted on {}", plan->session.source, plan->session.mountpoint);
  watcher.ready(*plan);
  if (request.foreground) tell_service_manager(host, "READY=1\nSTATUS=serving");
  // A signal that came before is remembered, and ends the session at once.
  end.attach(session->get());
  const Result<void> served = (*session)->run();
  // The session has ended: a signal that comes now is about the publishing only.
  end.attach(nullptr);
  if (!served) log::error("serving ended: {}", served.error().to_string());

  // The mount is gone, so no new writes arrive: only now is there a rest to publish. Commands that wait for the end are
  // told afterwards, as they want to know what is left.
  if (request.foreground) tell_service_manager(host, "STOPPING=1\nSTATUS=publishing what is left");
  last_resort.emplace(shutdown_timeout + kLastGrace);
  publish_the_rest((*store)->control(), shutdown_timeout, end.publishing());
  service.announce_end();
  log::info("{} is unmounted from {}", plan->session.source, plan->session.mountpoint);
  if (!served && served.error().code() == Errc::deadline_exceeded) leave_stuck_threads(std::move(*control));
  return {};
}

}  // namespace cairn
