#include "cli/status_text.h"

#include "base/bytes.h"
#include "cli/values.h"

namespace cairn {

namespace {

using Json = nlohmann::json;

// One section of the status, with 0 and "" for what it lacks.
class Section {
 public:
  Section(const Json& status, const char* name) : json_(status.value(name, Json::object())) {}
  [[nodiscard]] uint64_t number(const char* key) const { return json_.value(key, uint64_t{0}); }
  [[nodiscard]] std::string count(const char* key) const { return human_count(number(key)); }
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
  return fmt::format("  cache     {} of {}, {}, {} corrupt, in {}\n", cache.bytes("used_bytes"),
                     cache.bytes("capacity_bytes"), hits, cache.count("corrupt"), cache.text("dir"));
}

std::string memory_line(const Json& status) {
  const Section memory(status, "memory");
  return fmt::format("  memory    {} of {}, peak {}\n", memory.bytes("used_bytes"), memory.bytes("limit_bytes"),
                     memory.bytes("peak_bytes"));
}

std::string traffic_lines(const Json& status) {
  const Section reads(status, "reads");
  const Section writes(status, "writes");
  return fmt::format("  reads     {} answered; {} fetched in {} chunks, {} of them ahead of the reader\n",
                     reads.bytes("read_bytes"), reads.bytes("fetched_bytes"), reads.count("chunks_fetched"),
                     reads.count("chunks_prefetched")) +
         fmt::format("  writes    {} taken; {} sent in {} chunks, {} in {} chunks were in the store already\n",
                     writes.bytes("written_bytes"), writes.bytes("sent_bytes"), writes.count("chunks_sent"),
                     writes.bytes("shared_bytes"), writes.count("chunks_shared")) +
         fmt::format("  commits   {}, {} lost a race and were repeated; {} versions published, {} failures\n",
                     writes.count("commits"), writes.count("commit_races"), writes.count("versions_published"),
                     writes.count("publish_failures"));
}

std::string files_line(const Json& status) {
  const Section files(status, "files");
  return fmt::format("  files     {} open, {} being written, {} unpublished, {} directories to commit\n",
                     files.count("open_handles"), files.count("open_drafts"), files.count("kept_drafts"),
                     files.count("pending_directories"));
}

// One line for each operation that was asked of the store, by cause.
std::string request_lines(const Json& status) {
  const Json requests = status.value("requests", Json::object());
  std::string text;
  for (const auto& [operation, causes] : requests.items()) {
    std::string line;
    for (const auto& [cause, metrics] : causes.items()) {
      const uint64_t errors = metrics.value("errors", uint64_t{0});
      line +=
          fmt::format("{}{} {} ({}{})", line.empty() ? "" : ", ", human_count(metrics.value("requests", uint64_t{0})),
                      cause, human_bytes(metrics.value("bytes", uint64_t{0})),
                      errors == 0 ? "" : fmt::format(", {} errors", human_count(errors)));
    }
    text += fmt::format("  {:<9} {}\n", operation, line);
  }
  return text;
}

std::string trouble_lines(const Json& status) {
  std::string text;
  for (const Json& file : status.value("unpublished", Json::array())) {
    text += fmt::format("  UNPUBLISHED {} ({}): {}\n", file.value("path", "?"),
                        human_bytes(file.value("size", uint64_t{0})), file.value("error", ""));
  }
  for (const Json& line : status.value("recent_errors", Json::array())) {
    text += fmt::format("  {}  {}\n", human_time(line.value("time_ns", Nanos{0})), line.value("text", ""));
  }
  return text;
}

}  // namespace

std::string status_text(const Json& status) {
  const std::string head =
      fmt::format("{} on {}{}\n", status.value("store", "?"), status.value("mountpoint", "?"),
                  status.value("detached", false) ? " (unmounted, but its files are still open somewhere)" : "");
  if (status.contains("error")) return head + "  " + status.value("error", "") + "\n";
  return head + daemon_line(status) + cache_line(status) + memory_line(status) + traffic_lines(status) +
         files_line(status) + request_lines(status) + trouble_lines(status);
}

}  // namespace cairn
