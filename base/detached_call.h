// A call that may hang, and a caller who does not wait for ever.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/thread.h"
#include "base/wait.h"

namespace cairn {

// Runs `call` on a thread of its own (`name`), which is left to itself if it has not returned after `timeout`: for
// system calls of file systems that may hang. nullopt: it has not. `call` owns what it uses, and must not throw.
template <class Answer>
std::optional<Answer> call_detached(const std::string& name, std::function<Answer()> call,
                                    std::chrono::nanoseconds timeout) {
  struct Shared {
    Mutex mutex;
    Condition answered;
    std::optional<Answer> answer CAIRN_GUARDED_BY(mutex);
  };
  const auto shared = std::make_shared<Shared>();
  Thread(name, [shared, call = std::move(call)](const std::stop_token&) {
    Answer answer = call();
    const MutexLock lock(shared->mutex);
    shared->answer.emplace(std::move(answer));
    shared->answered.notify_all();
  }).detach();
  MutexLock lock(shared->mutex);
  shared->answered.wait_for(lock, {}, timeout,
                            [&shared]() CAIRN_REQUIRES(shared->mutex) { return shared->answer.has_value(); });
  return std::move(shared->answer);
}

}  // namespace cairn
