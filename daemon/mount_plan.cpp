#include "daemon/mount_plan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "base/paths.h"
#include "base/random.h"
#include "cache/local_files.h"
#include "daemon/group_memory.h"
#include "daemon/local_paths.h"
#include "fs/fuse/mount_check.h"
#include "fs/publish_open_rules.h"
#include "remote/atomic_create_proof.h"
#include "remote/open.h"

namespace cairn {

namespace {

using Notice = std::function<void(const std::string&)>;

struct FoundStore {
  std::unique_ptr<RemoteStack> remote;
  StoreFormat format;
  std::string url;  // as it describes itself
  bool read_only = false;
};

Result<std::unique_ptr<RemoteStack>> open_remote(const std::string& url, const Settings& settings, bool read_only,
                                                 const Notice& notice) {
  const uint32_t operations = settings.io_threads;
  Result<std::unique_ptr<ObjectStore>> bare = open_object_store(
      url, {.read_only = read_only, .operations = operations, .timeout = settings.mount_timeout, .notice = notice});
  if (!bare) return fail(bare.error());
  RemoteStack::Options options;
  options.limits = {
      .operations = operations, .background_operations = std::max(operations * 3 / 4, 1U), .timeout = settings.timeout};
  if (is_endpoint(url)) options.hedge = HedgePolicy{};
  return std::make_unique<RemoteStack>(std::move(*bare), options, system_clock(), kernel_random());
}

bool forbids_writing(const Error& error) {
  return error.code() == Errc::read_only || error.code() == Errc::permission_denied;
}

Result<FoundStore> find_store(const MountRequest& request, bool read_only, const Notice& notice) {
  auto remote = open_remote(request.store, request.settings, read_only, notice);
  if (!remote && remote.error().code() == Errc::not_found) {
    return fail(Errc::not_found, "{}: to make a new store there, `cairnfs init {}`", remote.error().message(),
                request.store);
  }
  if (!remote) return fail(remote.error());
  ObjectStore& objects = (*remote)->objects();
  Result<StoreFormat> format = open_store_format(objects, RequestContext::within(request.settings.mount_timeout));
  if (!format) return fail(format.error());
  std::string url = objects.describe();
  return FoundStore{std::move(*remote), std::move(*format), std::move(url), read_only};
}

// A host that may not write can still read.
Result<FoundStore> find_store_read_only(const MountRequest& request, const Error& reason, const Notice& notice) {
  auto store = find_store(request, true, notice);
  if (store) notice(reason.message() + ": mounting read-only");
  return store;
}

Result<FoundStore> find_store(const MountRequest& request, const Notice& notice) {
  auto store = find_store(request, request.settings.read_only, notice);
  const bool retry = !store && forbids_writing(store.error()) && !request.settings.read_only;
  return retry ? find_store_read_only(request, store.error(), notice) : std::move(store);
}

constexpr std::string_view kHandedOver = "/dev/fd/";

// The descriptor of a mountpoint /dev/fd/N: a connection that somebody who may mount has made.
std::optional<int> handed_over_at(const std::string& mountpoint) {
  if (!mountpoint.starts_with(kHandedOver)) return std::nullopt;
  int number = -1;
  const char* end = mountpoint.data() + mountpoint.size();
  const auto parsed = std::from_chars(mountpoint.data() + kHandedOver.size(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end || ::fcntl(number, F_GETFD) < 0) return std::nullopt;
  return number;
}

std::string directory_of(const std::string& url) { return url.starts_with("dir:") ? url.substr(4) : std::string(); }

// A daemon that needs its own mount to answer waits for itself.
Result<void> check_outside(std::string_view what, const std::string& path, const std::string& mountpoint) {
  std::error_code unresolved;
  const std::string real = std::filesystem::weakly_canonical(path, unresolved).string();
  if (unresolved || (real != mountpoint && !real.starts_with(mountpoint + "/"))) return {};
  return fail(Errc::invalid_argument,
              "{} {} is inside the mountpoint {}, where the mount would hide it from its own daemon", what, path,
              mountpoint);
}

std::string first_line_of(const std::string& path) {
  std::string line;
  std::getline(std::ifstream(path), line);
  return line;
}

// Before this host's first write to a store by that URL, whose terms the endpoint must keep as well: see
// prove_atomic_create.
Result<void> prove_once(FoundStore& store, const Settings& settings, const std::string& cache_dir) {
  const std::string marker = cache_dir + "/proven-" + store.format.store_id;
  if (store.read_only || !is_endpoint(store.url) || first_line_of(marker) == store.url) return {};
  const auto context = RequestContext::within(settings.mount_timeout, Cause::maintenance);
  auto proven = prove_atomic_create(store.remote->objects(), kernel_random(), context);
  if (proven) std::ofstream(marker) << store.url << "\n";
  return proven;
}

Result<std::string> make_cache_directory(const MountRequest& request, const FoundStore& store,
                                         const HostEnvironment& host) {
  const std::string path = request.settings.cache_dir.empty()
                               ? default_cache_directory(host, store.format.store_id, request.mountpoint)
                               : absolute_path(request.settings.cache_dir, host.directory);
  if (auto outside = check_outside("the cache directory", path, request.mountpoint); !outside) {
    return fail(outside.error());
  }
  if (auto made = make_directories(path); !made) return fail(made.error().in("the cache directory (--cache-dir)"));
  return path;
}

Result<std::string> choose_log_file(const MountRequest& request, const std::string& cache_dir,
                                    const HostEnvironment& host) {
  const std::string& wanted = request.settings.log_file;
  if (wanted.empty() && request.foreground) return std::string();
  const std::string path = wanted.empty() ? cache_dir + "/cairnfs.log" : absolute_path(wanted, host.directory);
  if (auto outside = check_outside("the log file", path, request.mountpoint); !outside) return fail(outside.error());
  if (auto opened = open_file(path, O_WRONLY | O_CREAT | O_APPEND); !opened) return fail(opened.error().in("log.file"));
  return path;
}

FuseSession::Options session_options(const MountRequest& request, const FoundStore& store) {
  FuseSession::Options session;
  session.mountpoint = request.mountpoint;
  session.source = store.url;
  session.allow_other = request.settings.allow_other;
  session.read_only = store.read_only;
  session.allow_nonempty = request.allow_nonempty;
  session.extra = request.kernel_options;
  session.work_slots = request.settings.fuse_threads;
  session.follow_symlinks = request.follow_symlinks;
  session.ownership = request.ownership;
  session.request_timeout = request.settings.timeout;
  session.patience.exiting = request.settings.timeout;
  return session;
}

void choose_native_reads(FuseSession::Options& session, const Settings& settings, const std::string& cache_dir) {
  if (settings.passthrough == "off") {
    session.why_not_native = "passthrough=off";
  } else if (settings.cache_size == CacheSize{}) {
    session.why_not_native = "cache.size is 0";
  } else {
    session.native_directory = cache_dir;
  }
}

// Nobody has said how much: then the buffers leave room for the rest of the daemon, and for whom it shares the group
// with. Returns the limit that this follows from; 0: from none.
uint64_t fit_memory_into_group(Settings& settings, const HostEnvironment& host) {
  constexpr uint64_t kLeast = 64ULL << 20;  // what the table allows
  const uint64_t limit = settings.given.contains("memory") ? 0 : group_memory_limit(host).value_or(0);
  if (limit == 0 || settings.memory_bytes <= limit / 4) return 0;
  settings.memory_bytes = std::max(limit / 4, kLeast);
  return limit;
}

}  // namespace

Result<MountPlan> plan_mount(const MountRequest& request, const HostEnvironment& host, const Notice& notice) {
  const std::optional<int> connection = handed_over_at(request.mountpoint);
  const auto usable = connection ? Result<void>{} : check_mountpoint(request.mountpoint, request.allow_nonempty);
  if (!usable) return fail(usable.error());
  const auto patterns = PublishOpenRules::parse_patterns(request.settings.publish_open);
  if (!patterns) return fail(patterns.error().in("publish-open"));
  Result<FoundStore> store = find_store(request, notice);
  if (!store) return fail(store.error());
  if (auto outside = check_outside("the store", directory_of(store->url), request.mountpoint); !outside) {
    return fail(outside.error());
  }
  const Result<std::string> cache_dir = make_cache_directory(request, *store, host);
  if (!cache_dir) return fail(cache_dir.error());
  if (const auto proven = prove_once(*store, request.settings, *cache_dir); !proven) {
    if (proven.error().code() != Errc::permission_denied) return fail(proven.error());
    store = find_store_read_only(request, proven.error(), notice);
    if (!store) return fail(store.error());
  }
  const Result<std::string> log_file = choose_log_file(request, *cache_dir, host);
  if (!log_file) return fail(log_file.error());

  MountPlan plan;
  plan.session = session_options(request, *store);
  plan.session.connection = connection;
  choose_native_reads(plan.session, request.settings, *cache_dir);
  // Descriptors are numbered anew in each process.
  plan.control_socket =
      control_socket_path(host, connection ? fmt::format("{}-{}", request.mountpoint, ::getpid()) : request.mountpoint);
  plan.log_file = *log_file;
  plan.cache_dir = *cache_dir;
  plan.store = {std::move(store->remote), std::move(store->format), *cache_dir, request.settings,
                directory_of(plan.session.source)};
  plan.store.settings.read_only = store->read_only;
  plan.group_memory_bytes = fit_memory_into_group(plan.store.settings, host);
  return plan;
}

}  // namespace cairn
