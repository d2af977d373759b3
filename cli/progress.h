// How far a long command has come, for the person who watches.
#pragma once

#include <string>

#include "base/clock.h"
#include "cli/streams.h"

namespace cairn {

// On a terminal one line that is redrawn at most ten times a second; elsewhere a line every few seconds.
// Thread-safety: none.
class Progress {
 public:
  // `what`: "prefetch". Ownership: borrows both.
  Progress(const Streams& streams, std::string what, const Clock& clock = system_clock());
  // Leaves an empty line on a terminal.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of `total` (0: not known yet), in whatever unit; `detail` is shown beside the bar, with the time that is
  // left by the pace so far.
  void show(uint64_t done, uint64_t total, const std::string& detail);
  [[nodiscard]] std::chrono::nanoseconds elapsed() const { return clock_.steady_now() - started_; }

 private:
  const Streams& streams_;
  const std::string what_;
  const Clock& clock_;
  const SteadyTime started_;
  SteadyTime shown_;
  bool drawn_ = false;
};

}  // namespace cairn
