#include "daemon/status_json.h"

#include "base/log.h"

namespace cairn {

namespace {

using Json = nlohmann::json;

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

// Of blocks and images together; then of each.
Json cache_json(const BlockCacheStats& blocks, const ImageCacheStats& images, const std::string& directory) {
  return {{"dir", directory},
          {"used_bytes", blocks.used_bytes + images.used_bytes},
          {"capacity_bytes", std::max(blocks.capacity_bytes, images.capacity_bytes)},
          {"hits", blocks.hits + images.hits},
          {"misses", blocks.misses},
          {"corrupt", blocks.corrupt + images.corrupt_chunks},
          {"dropped_puts", blocks.dropped_puts + images.dropped_chunks},
          {"blocks",
           {{"used_bytes", blocks.used_bytes},
            {"capacity_bytes", blocks.capacity_bytes},
            {"chunks", blocks.chunks},
            {"evicted_chunks", blocks.evicted_chunks}}},
          {"images",
           {{"used_bytes", images.used_bytes},
            {"images", images.images},
            {"whole", images.whole_images},
            {"evicted", images.evicted_images},
            {"queued_bytes", images.queued_bytes},
            {"scrubbed_bytes", images.scrubbed_bytes}}}};
}

Json staging_json(const StagingRoom& room) {
  const StagingRoom::Bytes used = room.used();
  Json users = Json::array();
  for (const StagingRoom::User& user : room.users_at_their_bound()) {
    users.push_back({{"uid", user.uid}, {"bytes", user.bytes}, {"files", user.files}});
  }
  return {{"used_bytes", used.written + used.kept},
          {"kept_bytes", used.kept},
          {"limit_bytes", room.limit_bytes()},
          {"users_at_their_bound", std::move(users)}};
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
          {"publish_open",
           {{"patterns", files.publish_open.patterns},
            {"after_ms", std::chrono::duration_cast<std::chrono::milliseconds>(files.publish_open.after).count()},
            {"published", files.published_while_open}}},
          {"native_reads",
           {{"possible", files.native_reads.why_not.empty()},
            {"why_not", files.native_reads.why_not},
            {"opens", files.native_reads.opens}}},
          {"pending_directories", files.pending_directories}};
}

// What closes have returned for and the store has not got.
Json queue_json(const QueueStats& queue, bool async) {
  return {{"commit", async ? "async" : "close"},
          {"closes", queue.closes},
          {"bytes", queue.bytes},
          {"oldest_ns", queue.oldest},
          {"error", queue.error}};
}

Json recent_errors_json() {
  Json lines = Json::array();
  for (const log::RecentLine& line : log::recent()) lines.push_back({{"time_ns", line.time}, {"text", line.text}});
  return lines;
}

}  // namespace

Json status_json(MountedStore& store, const std::string& cache_dir) {
  const StoreEnvironment& environment = store.environment();
  const FileSystemStats files = store.control().stats();
  return {{"cache", cache_json(environment.cache.stats(), environment.images.stats(), cache_dir)},
          {"staging", staging_json(environment.staging.room())},
          {"memory",
           {{"used_bytes", environment.memory.used_bytes()},
            {"limit_bytes", environment.memory.limit_bytes()},
            {"peak_bytes", environment.memory.peak_bytes()}}},
          {"verify", {{"by", store.verification().digest ? "digest" : "checksum"}, {"why", store.verification().why}}},
          {"reads", reads_json(environment.counters, files)},
          {"writes", writes_json(environment.counters, files)},
          {"files", files_json(files)},
          {"queue", queue_json(files.queue, environment.options.commit_async)},
          {"requests", requests_json(store.remote().metrics())},
          {"endpoint", endpoint_json(store.remote(), files.outage)},
          {"recent_errors", recent_errors_json()}};
}

}  // namespace cairn
