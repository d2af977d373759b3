#include "daemon/mount_service.h"

#include <unistd.h>

#include <set>

#include "base/version.h"
#include "daemon/history.h"
#include "daemon/links.h"
#include "daemon/status_json.h"
#include "store/directories/path_lookup.h"
#include "store/reading/cache_warmer.h"

namespace cairn {

namespace {

Json counts_json(const CacheWarmer::Counts& counts) {
  return {{"files", counts.files},
          {"files_done", counts.files_done},
          {"bytes", counts.bytes},
          {"bytes_done", counts.present_bytes + counts.fetched_bytes},
          {"present_bytes", counts.present_bytes},
          {"fetched_bytes", counts.fetched_bytes}};
}

}  // namespace

MountService::MountService(MountedStore& store, About about)
    : store_(store), about_(std::move(about)), started_(system_clock().steady_now()) {}

Result<Json> MountService::handle(const Json& request, const ProgressFunction& progress, const std::stop_token& stop) {
  try {
    const std::string op = request.at("op").get<std::string>();
    StoreEnvironment& environment = store_.environment();
    if (op == "status") return status();
    if (op == "log") {
      const auto path = resolved(request.at("path").get<std::string>(), true, stop);
      if (!path) return fail(path.error());
      return load_history(store_.control(), environment, *path,
                          RequestContext::within(environment.options.operation_timeout, Cause::demand, stop));
    }
    if (op == "prefetch") {
      return prefetch(request.at("paths").get<std::vector<std::string>>(), progress, stop);
    }
    if (op == "sync") return sync(request, stop);
    if (op == "await_end") return await_end(progress, stop);
    if (op.starts_with("kept_")) return kept(op, request, stop);
    return fail(Errc::unsupported, "this daemon (cairnfs {}) does not know '{}'", kVersion, op);
  } catch (const Json::exception& error) {
    return fail(Errc::invalid_argument, "bad request: {}", error.what());
  }
}

Json MountService::status() const {
  const StoreEnvironment& environment = store_.environment();
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(system_clock().steady_now() - started_);
  Json status = {{"store", about_.url},
                 {"store_id", environment.format.store_id},
                 {"mountpoint", about_.mountpoint},
                 {"pid", ::getpid()},
                 {"version", kVersion},
                 {"uptime_seconds", uptime.count()},
                 {"read_only", environment.options.read_only},
                 {"host", environment.options.host},
                 {"log_file", about_.log_file.empty() ? "(terminal)" : about_.log_file},
                 {"unpublished", unpublished(Queued::left_out)}};
  status.update(status_json(store_, about_.cache_dir));
  status["memory"]["group_bytes"] = about_.group_memory_bytes;
  return status;
}

Json MountService::unpublished(Queued queued) const {
  Json files = Json::array();
  for (const UnpublishedFile& file : store_.control().unpublished()) {
    if (queued == Queued::left_out && file.is_queued) continue;
    files.push_back({{"path", file.path},
                     {"size", file.size_bytes},
                     {"error", file.error},
                     {"number", file.number},
                     {"state", file.state},
                     {"since_ns", file.since}});
  }
  return files;
}

Result<Json> MountService::sync(const Json& request, const std::stop_token& stop) {
  const std::chrono::nanoseconds timeout(request.at("timeout_ns").get<int64_t>());
  auto done = store_.control().sync_all(RequestContext::within(timeout, Cause::write_back, stop));
  if (!done) return fail(std::move(done).error());
  return Json::object();
}

Result<Json> MountService::kept(const std::string& op, const Json& request, const std::stop_token& stop) {
  if (op == "kept_list") return Json{{"kept", unpublished(Queued::listed)}};
  const auto context = RequestContext::within(store_.environment().options.operation_timeout, Cause::maintenance, stop);
  const auto number = request.at("number").get<uint64_t>();
  FileSystemControl& files = store_.control();
  Result<void> done = fail(Errc::unsupported, "this daemon (cairnfs {}) does not know '{}'", kVersion, op);
  if (op == "kept_export") done = files.export_kept(number, request.at("path").get<std::string>(), context);
  if (op == "kept_publish") done = files.publish_kept(number, context);
  if (op == "kept_discard") done = files.discard_kept(number);
  if (!done) return fail(std::move(done).error());
  return Json::object();
}

Result<std::string> MountService::resolved(const std::string& path, bool keeps_history, const std::stop_token& stop) {
  const auto timeout = store_.environment().options.operation_timeout;
  const EntryAt entry_at = [&](const std::string& at) {
    return store_.control().entry_at(at, RequestContext::within(timeout, Cause::demand, stop));
  };
  return follow_links(entry_at, path, about_.mountpoint, keeps_history);
}

Result<MountService::Wanted> MountService::files_at(const std::vector<std::string>& paths,
                                                    const std::stop_token& stop) {
  StoreEnvironment& environment = store_.environment();
  const OpenDirectory open = [&](EntryId id) {
    const auto timeout = environment.options.operation_timeout;
    return Directory::load(environment, id, RequestContext::within(timeout, Cause::prefetch, stop));
  };
  Wanted wanted;
  std::set<std::string> seen;
  std::vector<std::string> asked = paths;
  for (size_t i = 0; i < asked.size(); ++i) {
    const bool is_found = i >= paths.size();  // by the way, below another
    const auto path = resolved(asked[i], false, stop);
    if (!path && is_found) continue;
    if (!path) return fail(path.error());
    if (!seen.insert("/" + *path).second) continue;
    auto files = files_below(open, *path, &asked);
    if (!files && is_found && files.error().code() == Errc::not_found) continue;
    if (!files) return fail(files.error());
    for (NamedVersion& file : *files) {
      if (!seen.insert(file.path).second) continue;
      wanted.names.push_back(std::move(file.path));
      wanted.versions.push_back(std::move(file.version));
    }
  }
  return wanted;
}

Result<Json> MountService::prefetch(const std::vector<std::string>& paths, const ProgressFunction& progress,
                                    const std::stop_token& stop) {
  StoreEnvironment& environment = store_.environment();
  auto wanted = files_at(paths, stop);
  if (!wanted) return fail(wanted.error());
  const auto report =
      CacheWarmer(environment, store_.chunk_reader(), stop)
          .run(std::move(wanted->versions), [&](const CacheWarmer::Counts& now) { progress(counts_json(now)); });
  if (!report) return fail(report.error());
  Json result = counts_json(report->counts);
  result["cache_capacity_bytes"] = environment.cache.stats().capacity_bytes;
  result["failed"] = Json::array();
  for (const CacheWarmer::Failure& failure : report->failures) {
    result["failed"].push_back({{"path", "/" + wanted->names[failure.file]}, {"error", failure.error}});
  }
  return result;
}

Result<Json> MountService::await_end(const ProgressFunction& progress, const std::stop_token& stop) {
  progress({{"waiting", true}});
  MutexLock lock(mutex_);
  ended_.wait(lock, stop, [this]() CAIRN_REQUIRES(mutex_) { return last_words_.has_value(); });
  if (!last_words_) return fail(Errc::cancelled, "nobody waits any more");
  return *last_words_;
}

void MountService::announce_end() {
  Json words = {{"unpublished", unpublished(Queued::listed)}, {"cache_dir", about_.cache_dir}};
  const MutexLock lock(mutex_);
  last_words_ = std::move(words);
  ended_.notify_all();
}

}  // namespace cairn
