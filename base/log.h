// The daemon's log: one line per fact, to stderr or a file. Wraps spdlog so that only base/log.cpp knows it.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace cairn::log {

enum class Level { debug, info, warning, error };

// Where lines go (empty: stderr) and from which level on; before that, stderr and warnings, and what was written till
// then (100 lines) goes into the file as well. A file that has grown to 10 MiB becomes FILE.1 (cairnfs.log:
// cairnfs.1.log) in place of an older one. Thread-safety: all functions may be called from any thread.
void configure(Level level, const std::string& file = {});

void write(Level level, std::string_view line);

// The last warnings and errors of this process, oldest first: what `status` shows without reading the file.
struct RecentLine {
  Nanos time = 0;
  Level level = Level::warning;
  std::string text;
};
std::vector<RecentLine> recent();

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace cairn::log
