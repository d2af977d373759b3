#include "cli/status_text.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/units.h"
#include "cli/printable.h"

namespace cairn {

namespace {

using Json = nlohmann::json;

// One section of the status, with 0 and "" for what it lacks.
class Section {
 public:
  Section(const Json& status, const char* name) : json_(status.value(name, Json::object())) {}
  explicit Section(Json section) : json_(std::move(section)) {}
  [[nodiscard]] uint64_t number(const char* key) const { return json_.value(key, uint64_t{0}); }
  [[nodiscard]] std::string count(const char* key) const { return human_count(number(key)); }
  [[nodiscard]] std::string count(const char* key, std::string_view noun) const {
    return human_count(number(key), noun);
  }
  [[nodiscard]] std::string bytes(const char* key) const { return human_bytes(number(key)); }
  [[nodiscard]] std::string text(const char* key) const { return json_.value(key, std::string()); }

 private:
  const Json json_;
};

std::string daemon_line(const Json& status) {
  return fmt::format("  daemon    pid {}, cairnfs {}, up {}{}\n  log       {}\n", status.value("pid", 0),
                     status.value("version", "?"),
                     human_duration(std::chrono::seconds(status.value("uptime_seconds", int64_t{0}))),
                     status.value("read_only", false) ? ", read-only" : "", status.value("log_file", "(terminal)"));
}

std::string cache_line(const Json& status) {
  const Section cache(status, "cache");
  const uint64_t asked = cache.number("hits") + cache.number("misses");
  const std::string hits =
      asked == 0 ? std::string("not used yet") : fmt::format("{}% hits", cache.number("hits") * 100 / asked);
  const Section images(status.value("cache", Json::object()), "images");
  const std::string whole = images.number("images") == 0 ? std::string()
                                                         : fmt::format(", {} of {} whole", images.count("whole"),
                                                                       images.count("images", "image"));
  return fmt::format("  cache     {} of {}, {}{}, {} corrupt, in {}\n", cache.bytes("used_bytes"),
                     cache.bytes("capacity_bytes"), hits, whole, cache.count("corrupt"), cache.text("dir"));
}

// Only where somebody writes, or there is a bound to know of.
std::string staging_line(const Json& status) {
  const Section staging(status, "staging");
  if (staging.number("used_bytes") + staging.number("limit_bytes") == 0) return "";
  const std::string limit = staging.number("limit_bytes") == 0 ? "" : " of " + staging.bytes("limit_bytes");
  std::string line = fmt::format("  staging   {}{}, {} of that in kept drafts\n", staging.bytes("used_bytes"), limit,
                                 staging.bytes("kept_bytes"));
  for (const Json& user : status.value("staging", Json::object()).value("users_at_their_bound", Json::array())) {
    const Section one(user);
    line += fmt::format("            user {} is at his bound: {} in {}; more is refused\n", one.number("uid"),
                        one.bytes("bytes"), one.count("files", "file"));
  }
  return line;
}

std::string memory_line(const Json& status) {
  const Section memory(status, "memory");
  const std::string group =
      memory.number("group_bytes") == 0
          ? ""
          : fmt::format("; for want of a setting, by the {} of its control group", memory.bytes("group_bytes"));
  return fmt::format("  memory    {} of {}, peak {}{}\n", memory.bytes("used_bytes"), memory.bytes("limit_bytes"),
                     memory.bytes("peak_bytes"), group);
}

std::string reads_line(const Json& status) {
  const Section reads(status, "reads");
  if (reads.number("read_bytes") + reads.number("fetched_bytes") == 0) return "  reads     none yet\n";
  return fmt::format("  reads     {} answered; {} fetched in {}, {} of them ahead of the reader\n",
                     reads.bytes("read_bytes"), reads.bytes("fetched_bytes"), reads.count("chunks_fetched", "chunk"),
                     reads.count("chunks_prefetched"));
}

std::string verify_line(const Json& status) {
  const Section verify(status, "verify");
  if (verify.text("by").empty()) return "";
  return fmt::format("  verify    {}; {}\n", verify.text("by") == "digest" ? "SHA-256" : "XXH3-128",
                     verify.text("why"));
}

std::string writes_line(const Json& status) {
  const Section writes(status, "writes");
  if (writes.number("written_bytes") + writes.number("chunks_sent") == 0) return "  writes    none yet\n";
  return fmt::format("  writes    {} taken; {} sent in {}; {} in {} the store had already\n",
                     writes.bytes("written_bytes"), writes.bytes("sent_bytes"), writes.count("chunks_sent", "chunk"),
                     writes.bytes("shared_bytes"), writes.count("chunks_shared", "chunk"));
}

std::string commits_line(const Json& status) {
  const Section writes(status, "writes");
  std::string text = fmt::format("  commits   {}; {} published", writes.count("commits"),
                                 writes.count("versions_published", "version"));
  if (writes.number("commit_races") > 0) text += "; repeated after a lost race: " + writes.count("commit_races");
  if (writes.number("publish_failures") > 0) text += "; failures to publish: " + writes.count("publish_failures");
  return text + "\n";
}

std::string files_line(const Json& status) {
  const Section files(status, "files");
  return fmt::format("  files     {} open, {} being written, {} unpublished, {} directories to commit\n",
                     files.count("open_handles"), files.count("open_drafts"), files.count("kept_drafts"),
                     files.count("pending_directories"));
}

// With commit=async, or while there is what an earlier process has left.
std::string queue_line(const Json& status) {
  const Section queue(status, "queue");
  if (queue.text("commit") != "async" && queue.number("closes") == 0) return "";
  if (queue.number("closes") == 0) return "  queue     closes are committed in the background; none waits\n";
  const std::chrono::nanoseconds age(
      std::max<Nanos>(system_clock().wall_now() - static_cast<Nanos>(queue.number("oldest_ns")), 0));
  const std::string error = queue.text("error");
  return fmt::format("  queue     {} ({}) to commit, the oldest {} old{}\n", queue.count("closes", "close"),
                     queue.bytes("bytes"), human_duration(age), error.empty() ? "" : "; " + error);
}

// "  open too  *.log, *.jsonl: published 30.0 s after a change, 12 times so far".
std::string publish_open_line(const Json& status) {
  const Json rules = status.value("files", Json::object()).value("publish_open", Json::object());
  std::string names;
  for (const Json& pattern : rules.value("patterns", Json::array())) {
    names += (names.empty() ? "" : ", ") + pattern.get<std::string>();
  }
  if (names.empty()) return "";
  const std::chrono::milliseconds after(rules.value("after_ms", int64_t{0}));
  return fmt::format("  open too  {}: published {:.1f} s after a change, {} times so far\n", names,
                     std::chrono::duration<double>(after).count(), human_count(rules.value("published", uint64_t{0})));
}

// "  native    yes: 12 opens so far read from the cache by the kernel alone", or "  native    no: passthrough=off".
std::string native_line(const Json& status) {
  const Json native = status.value("files", Json::object()).value("native_reads", Json::object());
  if (native.empty()) return "";
  if (!native.value("possible", false)) return fmt::format("  native    no: {}\n", native.value("why_not", "?"));
  return fmt::format("  native    yes: {} so far, read from the cache by the kernel alone\n",
                     human_count(native.value("opens", uint64_t{0}), "open"));
}

// "48 demand (192 MiB, 11.0 ms each)".
std::string asked_for(const std::string& cause, const Json& metrics) {
  const uint64_t requests = metrics.value("requests", uint64_t{0});
  const uint64_t bytes = metrics.value("bytes", uint64_t{0});
  const uint64_t errors = metrics.value("errors", uint64_t{0});
  const std::chrono::microseconds latency(metrics.value("latency_sum_us", uint64_t{0}) /
                                          std::max(requests, uint64_t{1}));
  return fmt::format("{} {} ({}{:.1f} ms each{})", human_count(requests), cause,
                     bytes == 0 ? "" : human_bytes(bytes) + ", ",
                     std::chrono::duration<double, std::milli>(latency).count(),
                     errors == 0 ? "" : ", " + human_count(errors, "error"));
}

// One line for each operation that was asked of the store, by cause.
std::string request_lines(const Json& status) {
  const Json requests = status.value("requests", Json::object());
  std::string text;
  for (const auto& [operation, causes] : requests.items()) {
    if (causes.empty()) continue;
    std::string line;
    for (const auto& [cause, metrics] : causes.items()) line += (line.empty() ? "" : ", ") + asked_for(cause, metrics);
    text += fmt::format("  {:<9} {:<6} {}\n", text.empty() ? "requests" : "",
                        operation == "put_if_absent" ? "put" : operation, line);
  }
  return text;
}

// "  endpoint  at most 16 requests at once, 0 waiting; 3 retried; 1 get sent twice".
std::string endpoint_line(const Json& status) {
  const Section endpoint(status, "endpoint");
  return fmt::format("  endpoint  at most {} at once, {} waiting, {} retried, {} sent twice because slow\n",
                     endpoint.count("window", "request"), endpoint.count("waiting"), endpoint.count("retries"),
                     endpoint.count("hedges"));
}

std::string trouble_lines(const Json& status) {
  std::string text;
  const Json outage = status.value("endpoint", Json::object()).value("outage", Json::object());
  if (!outage.empty()) {
    text += fmt::format("  OUT OF REACH since {}, directories are shown as last known: {}\n",
                        human_time(outage.value("since_ns", Nanos{0})), outage.value("error", ""));
  }
  for (const Json& file : status.value("unpublished", Json::array())) {
    text += fmt::format("  UNPUBLISHED {} ({}): {}", file.value("path", "?"),
                        human_bytes(file.value("size", uint64_t{0})), file.value("error", ""));
    if (file.contains("number")) {
      text += fmt::format(" [kept draft {}, {}]", file.value("number", uint64_t{0}), file.value("state", "?"));
    }
    text += "\n";
  }
  for (const Json& line : status.value("recent_errors", Json::array())) {
    text += fmt::format("  {}  {}\n", human_time(line.value("time_ns", Nanos{0})), line.value("text", ""));
  }
  return text;
}

}  // namespace

std::string status_text(const Json& said) {
  const Json status = printable(said);
  const std::string head =
      fmt::format("{} on {}{}\n", status.value("store", "?"), status.value("mountpoint", "?"),
                  status.value("detached", false) ? " (unmounted, but its files are still open somewhere)" : "");
  if (status.contains("error")) return head + "  " + status.value("error", "") + "\n";
  return head + daemon_line(status) + cache_line(status) + staging_line(status) + memory_line(status) +
         reads_line(status) + verify_line(status) + writes_line(status) + commits_line(status) + queue_line(status) +
         files_line(status) + native_line(status) + publish_open_line(status) + request_lines(status) +
         endpoint_line(status) + trouble_lines(status);
}

}  // namespace cairn
