// A process that goes on alone, and a parent that waits until it knows how it went.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn {

class LineSocket;

// The child's messages to its parent until it is ready. Thread-safety: the thread that runs the work.
class BackgroundChild {
 public:
  explicit BackgroundChild(std::unique_ptr<LineSocket> parent);
  ~BackgroundChild();

  // For the terminal.
  void notice(std::string_view text);
  // From now on stdout and stderr go to the file `path`, at its end. Until then they are the parent's.
  void log_to(const std::string& path);
  // The work has begun: the parent takes `words` and goes. Only now does the child leave for "/": until here relative
  // paths are the caller's.
  void ready(std::string_view words);

 private:
  friend class BackgroundStart;
  bool tell(std::string_view kind, std::string_view text);
  void fail_with(const Error& error);

  const std::unique_ptr<LineSocket> parent_;
};

// What the child runs: it returns when its work is done, or with why it cannot begin.
using BackgroundWork = std::function<Result<void>(BackgroundChild& child)>;

struct BackgroundProcess {
  pid_t pid = 0;
  std::string words;  // of ready()
};

// Forks. The child leads a session of its own with nothing on stdin, and never returns from here. The parent passes
// notices to `on_notice`, and returns what the child was ready with, or the child's error, code and all. A child that
// is not ready after `timeout` is killed: deadline_exceeded. Call it while the process has one thread.
Result<BackgroundProcess> start_in_background(const BackgroundWork& work,
                                              const std::function<void(const std::string&)>& on_notice,
                                              std::chrono::nanoseconds timeout);

}  // namespace cairn
