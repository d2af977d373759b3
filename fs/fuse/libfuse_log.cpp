#include "fs/fuse/libfuse_log.h"

#include <fuse_log.h>
#include <pthread.h>

#include <cstdarg>
#include <cstdio>
#include <utility>

#include "base/log.h"

namespace cairn {

namespace {

std::string& last_complaint() {
  thread_local std::string line;
  return line;
}

std::string formatted(const char* format, va_list arguments) {
  char text[512];
  std::vsnprintf(text, sizeof text, format, arguments);
  std::string line = text;
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line.starts_with("fuse: ") ? line.substr(6) : line;
}

void receive(fuse_log_level level, const char* format, va_list arguments) {
  // libfuse may write while its thread can be cancelled; unwinding must not pass through a logger's locks.
  int cancel_state = 0;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
  std::string line = formatted(format, arguments);
  log::write(level <= FUSE_LOG_WARNING ? log::Level::warning : log::Level::info, "libfuse: " + line);
  last_complaint() = std::move(line);
  pthread_setcancelstate(cancel_state, nullptr);
}

}  // namespace

void capture_libfuse_log() { fuse_set_log_func(receive); }

std::string take_libfuse_complaint() { return std::exchange(last_complaint(), {}); }

}  // namespace cairn
