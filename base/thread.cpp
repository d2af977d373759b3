#include "base/thread.h"

#include <pthread.h>

#include <utility>

#include "base/contained.h"
#include "base/log.h"

namespace cairn {

Thread::Thread(const std::string& name, Body body)
    : scheduler_(Scheduler::simulation()), id_(scheduler_ != nullptr ? scheduler_->create(name) : 0) {
  const auto run = [scheduler = scheduler_, id = id_, name, body = std::move(body)](const std::stop_token& stop) {
    if (scheduler != nullptr) scheduler->begin(id);
    const auto ended = contained([&]() -> Result<void> {
      body(stop);
      return {};
    });
    if (!ended) log::error("the thread '{}' has ended: {}", name, ended.error().message());
    if (scheduler != nullptr) scheduler->end(id);
  };
  thread_ = std::jthread(run);
  pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

Thread::~Thread() {
  if (!joinable()) return;
  request_stop();
  join();
}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this == &other) return *this;
  if (joinable()) {
    request_stop();
    join();
  }
  scheduler_ = other.scheduler_;
  id_ = other.id_;
  thread_ = std::move(other.thread_);
  return *this;
}

void Thread::join() {
  if (scheduler_ != nullptr) scheduler_->join(id_);
  thread_.join();
}

}  // namespace cairn
