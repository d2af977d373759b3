#include "base/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <deque>
#include <memory>
#include <mutex>

namespace cairn::log {

namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

constexpr size_t kMaxFileBytes = 10U << 20;
constexpr size_t kOlderFiles = 1;

std::shared_ptr<spdlog::logger> logger_to(const std::string& file, Level level) {
  spdlog::sink_ptr sink;
  if (file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file, kMaxFileBytes, kOlderFiles);
  }
  auto logger = std::make_shared<spdlog::logger>("cairnfs", std::move(sink));
  logger->set_level(to_spdlog(level));
  return logger;
}

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = logger_to({}, Level::warning);
  return instance;
}

constexpr size_t kRecentLines = 20;

// Thread-safety: any thread.
class RecentLines {
 public:
  void add(RecentLine line) {
    const std::lock_guard lock(mutex_);
    if (lines_.size() == kRecentLines) lines_.pop_front();
    lines_.push_back(std::move(line));
  }
  std::vector<RecentLine> copy() const {
    const std::lock_guard lock(mutex_);
    return {lines_.begin(), lines_.end()};
  }

 private:
  mutable std::mutex mutex_;
  std::deque<RecentLine> lines_;  // guarded by mutex_
};

RecentLines& recent_lines() {
  static RecentLines instance;
  return instance;
}

}  // namespace

void configure(Level level, const std::string& file) {
  logger() = logger_to(file, level);
  logger()->flush_on(spdlog::level::info);
  logger()->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
}

void write(Level level, std::string_view line) {
  logger()->log(to_spdlog(level), "{}", line);
  if (level >= Level::warning) recent_lines().add({system_clock().wall_now(), level, std::string(line)});
}

std::vector<RecentLine> recent() { return recent_lines().copy(); }

}  // namespace cairn::log
