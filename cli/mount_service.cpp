#include "cli/mount_service.h"

#include <unistd.h>

#include "base/log.h"
#include "cli/history.h"
#include "cli/prefetch_job.h"
#include "cli/run.h"

namespace cairn {

namespace {

std::string_view name_of(Cause cause) {
  switch (cause) {
    case Cause::demand: return "demand";
    case Cause::prefetch: return "prefetch";
    case Cause::write_back: return "write_back";
    case Cause::maintenance: return "maintenance";
  }
  return "other";
}

// How the requests fare: a narrow window and many retries say that the store is overloaded or away.
Json endpoint_json(const RemoteStack& remote, const std::optional<Outage>& outage) {
  Json endpoint = {{"window", remote.window()},
                   {"waiting", remote.waiting()},
                   {"retries", remote.retries()},
                   {"hedges", remote.hedges()},
                   {"hedges_won", remote.hedges_won()}};
  if (outage) endpoint["outage"] = {{"since_ns", outage->since}, {"error", outage->error}};
  return endpoint;
}

// {"get": {"demand": {"requests": 12, "bytes": 4096, "errors": 0}}}, leaving out what never happened.
Json requests_json(const ObjectStoreMetrics& metrics) {
  Json requests = Json::object();
  for (const ObjectOperation operation : kObjectOperations) {
    for (const Cause cause : {Cause::demand, Cause::prefetch, Cause::write_back, Cause::maintenance}) {
      const OperationMetrics& counted = metrics.of(operation, cause);
      if (counted.requests == 0) continue;
      requests[std::string(to_string(operation))][std::string(name_of(cause))] = {
          {"requests", counted.requests},
          {"bytes", counted.bytes},
          {"errors", counted.errors},
          {"latency_sum_us", std::chrono::duration_cast<std::chrono::microseconds>(counted.latency_sum).count()}};
    }
  }
  return requests;
}

Json cache_json(const BlockCacheStats& stats, const std::string& directory) {
  return {{"dir", directory},
          {"used_bytes", stats.used_bytes},
          {"capacity_bytes", stats.capacity_bytes},
          {"chunks", stats.chunks},
          {"hits", stats.hits},
          {"misses", stats.misses},
          {"corrupt", stats.corrupt},
          {"evicted_chunks", stats.evicted_chunks},
          {"dropped_puts", stats.dropped_puts}};
}

Json reads_json(const StoreCounters& counters, const FileSystemStats& files) {
  return {{"read_bytes", files.read_bytes},
          {"fetched_bytes", counters.fetched_bytes.load()},
          {"chunks_fetched", counters.chunks_fetched.load()},
          {"chunks_prefetched", counters.chunks_prefetched.load()},
          {"corrupt_objects", counters.corrupt_objects.load()}};
}

Json writes_json(const StoreCounters& counters, const FileSystemStats& files) {
  return {{"written_bytes", files.written_bytes},
          {"chunks_sent", counters.chunks_sent.load()},
          {"sent_bytes", counters.sent_bytes.load()},
          {"chunks_shared", counters.chunks_shared.load()},
          {"shared_bytes", counters.shared_bytes.load()},
          {"commits", counters.commits.load()},
          {"commit_races", counters.commit_races.load()},
          {"dropped_changes", counters.dropped_changes.load()},
          {"versions_published", counters.versions_published.load()},
          {"publish_failures", counters.publish_failures.load()}};
}

Json files_json(const FileSystemStats& files) {
  return {{"nodes", files.nodes},
          {"open_handles", files.open_handles},
          {"open_drafts", files.open_drafts},
          {"kept_drafts", files.kept_drafts},
          {"pending_directories", files.pending_directories}};
}

Json recent_errors_json() {
  Json lines = Json::array();
  for (const log::RecentLine& line : log::recent()) lines.push_back({{"time_ns", line.time}, {"text", line.text}});
  return lines;
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
      return load_history(store_.file_system(), environment, request.at("path").get<std::string>(),
                          RequestContext::within(environment.options.operation_timeout, Cause::demand, stop));
    }
    if (op == "prefetch") {
      return PrefetchJob(environment, store_.chunk_reader(), stop)
          .run(request.at("paths").get<std::vector<std::string>>(), progress);
    }
    if (op == "await_end") return await_end(progress, stop);
    return fail(Errc::unsupported, "this daemon (cairnfs {}) does not know '{}'", kVersion, op);
  } catch (const Json::exception& error) {
    return fail(Errc::invalid_argument, "bad request: {}", error.what());
  }
}

Json MountService::status() const {
  const StoreEnvironment& environment = store_.environment();
  const FileSystemStats files = store_.file_system().stats();
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(system_clock().steady_now() - started_);
  return {{"store", about_.url},
          {"store_id", environment.format.store_id},
          {"mountpoint", about_.mountpoint},
          {"pid", ::getpid()},
          {"version", kVersion},
          {"uptime_seconds", uptime.count()},
          {"read_only", environment.options.read_only},
          {"host", environment.options.host},
          {"log_file", about_.log_file.empty() ? "(terminal)" : about_.log_file},
          {"cache", cache_json(environment.cache.stats(), about_.cache_dir)},
          {"memory",
           {{"used_bytes", environment.memory.used_bytes()},
            {"limit_bytes", environment.memory.limit_bytes()},
            {"peak_bytes", environment.memory.peak_bytes()}}},
          {"reads", reads_json(environment.counters, files)},
          {"writes", writes_json(environment.counters, files)},
          {"files", files_json(files)},
          {"requests", requests_json(store_.remote().metrics())},
          {"endpoint", endpoint_json(store_.remote(), files.outage)},
          {"unpublished", unpublished()},
          {"recent_errors", recent_errors_json()}};
}

Json MountService::unpublished() const {
  Json files = Json::array();
  for (const UnpublishedFile& file : store_.file_system().unpublished()) {
    files.push_back({{"path", file.path}, {"size", file.size_bytes}, {"error", file.error}});
  }
  return files;
}

Result<Json> MountService::await_end(const ProgressFunction& progress, const std::stop_token& stop) {
  progress({{"waiting", true}});
  std::unique_lock lock(mutex_);
  ended_.wait(lock, stop, [this] { return last_words_.has_value(); });
  if (!last_words_) return fail(Errc::cancelled, "nobody waits any more");
  return *last_words_;
}

void MountService::announce_end() {
  Json words = {{"unpublished", unpublished()}, {"cache_dir", about_.cache_dir}};
  const std::lock_guard lock(mutex_);
  last_words_ = std::move(words);
  ended_.notify_all();
}

}  // namespace cairn
