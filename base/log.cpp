#include "base/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <deque>
#include <memory>
#include <vector>

#include "base/ascii.h"
#include "base/mutex.h"

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

// A line from before configure().
struct EarlyLine {
  Level level = Level::info;
  std::string text;
};

constexpr Level kFirstLevel = Level::warning;
constexpr size_t kEarlyLines = 100;

// Where lines go. Until configure() says where for good, that is stderr, from warnings on; all of them are remembered,
// because the log file of a mount is known only once its store is open. Thread-safety: any thread.
class Destination {
 public:
  void write(Level level, std::string_view line) {
    const MutexLock lock(mutex_);
    logger_->log(to_spdlog(level), "{}", line);
    if (!configured_ && early_.size() < kEarlyLines) early_.push_back({level, std::string(line)});
  }

  // `elsewhere`: not stderr, which has shown some of the early lines already.
  void configure(std::shared_ptr<spdlog::logger> logger, bool elsewhere) {
    const MutexLock lock(mutex_);
    logger_ = std::move(logger);
    configured_ = true;
    for (const EarlyLine& line : early_) {
      if (elsewhere || line.level < kFirstLevel) logger_->log(to_spdlog(line.level), "{}", line.text);
    }
    early_.clear();
  }

 private:
  Mutex mutex_;
  std::shared_ptr<spdlog::logger> logger_ CAIRN_GUARDED_BY(mutex_) = logger_to({}, kFirstLevel);
  bool configured_ CAIRN_GUARDED_BY(mutex_) = false;
  std::vector<EarlyLine> early_ CAIRN_GUARDED_BY(mutex_);
};

Destination& destination() {
  static Destination instance;
  return instance;
}

constexpr size_t kRecentLines = 20;

// Thread-safety: any thread.
class RecentLines {
 public:
  void add(RecentLine line) {
    const MutexLock lock(mutex_);
    if (lines_.size() == kRecentLines) lines_.pop_front();
    lines_.push_back(std::move(line));
  }
  std::vector<RecentLine> copy() const {
    const MutexLock lock(mutex_);
    return {lines_.begin(), lines_.end()};
  }

 private:
  mutable Mutex mutex_;
  std::deque<RecentLine> lines_ CAIRN_GUARDED_BY(mutex_);
};

RecentLines& recent_lines() {
  static RecentLines instance;
  return instance;
}

}  // namespace

void configure(Level level, const std::string& file) {
  auto logger = logger_to(file, level);
  logger->flush_on(spdlog::level::info);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  destination().configure(std::move(logger), !file.empty());
}

void write(Level level, std::string_view line) {
  const std::string shown = printable(line);
  destination().write(level, shown);
  if (level >= Level::warning) recent_lines().add({system_clock().wall_now(), level, shown});
}

std::vector<RecentLine> recent() { return recent_lines().copy(); }

}  // namespace cairn::log
