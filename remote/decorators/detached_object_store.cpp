#include "remote/decorators/detached_object_store.h"

#include <deque>
#include <functional>
#include <vector>

#include "base/thread.h"
#include "base/wait.h"
#include "remote/object_rules.h"

namespace cairn {

namespace {

// The answer of one call, whose caller may be gone by then.
template <class Answer>
class Reply {
 public:
  void give(Answer answer) {
    const MutexLock lock(mutex_);
    answer_ = std::move(answer);
    given_.notify_all();
  }
  Answer wait(const RequestContext& context) {
    MutexLock lock(mutex_);
    auto given = given_.wait(lock, context, [this]() CAIRN_REQUIRES(mutex_) { return answer_.has_value(); });
    if (!given) return fail(given.error().code(), "the store has not answered");
    return std::move(*answer_);
  }

 private:
  Mutex mutex_;
  Condition given_;
  std::optional<Answer> answer_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace

// The threads and their shared state, which stays as long as any of them is stuck.
class DetachedObjectStore::Crew {
 public:
  explicit Crew(std::unique_ptr<ObjectStore> inner) : inner_(std::move(inner)) {}

  static std::shared_ptr<Crew> start(std::unique_ptr<ObjectStore> inner, size_t threads) {
    auto crew = std::make_shared<Crew>(std::move(inner));
    const MutexLock lock(crew->mutex_);
    crew->free_ = crew->running_ = threads;
    for (size_t i = 0; i < threads; ++i) {
      crew->threads_.emplace_back("store", [crew](const std::stop_token&) { crew->work(); });
    }
    return crew;
  }

  // Takes a free thread, for one run().
  Result<void> take_thread(const RequestContext& context) {
    MutexLock lock(mutex_);
    auto freed = freed_.wait(lock, context, [this]() CAIRN_REQUIRES(mutex_) { return free_ > 0; });
    if (!freed) return fail(freed.error().code(), "the store has not answered any of the earlier requests");
    --free_;
    return {};
  }

  // The answer of `call`, which owns all that it uses.
  template <class Call>
  auto run(Call call, const RequestContext& context) -> std::invoke_result_t<Call, ObjectStore&> {
    const auto reply = std::make_shared<Reply<std::invoke_result_t<Call, ObjectStore&>>>();
    {
      const MutexLock lock(mutex_);
      tasks_.emplace_back([this, reply, call = std::move(call)] { reply->give(call(*inner_)); });
    }
    called_.notify_one();
    return reply->wait(context);
  }

  // Nobody calls any more. Returns once all threads have ended, or `grace` has passed.
  void end(std::chrono::nanoseconds grace) {
    MutexLock lock(mutex_);
    ending_ = true;
    called_.notify_all();
    const bool ended = ended_.wait_for(lock, {}, grace, [this]() CAIRN_REQUIRES(mutex_) { return running_ == 0; });
    lock.unlock();
    for (Thread& thread : threads_) ended ? thread.join() : thread.detach();
  }

 private:
  void work() {
    MutexLock lock(mutex_);
    while (true) {
      called_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return ending_ || !tasks_.empty(); });
      if (tasks_.empty()) break;
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;  // what it holds goes before the lock is taken again
      lock.lock();
      ++free_;
      freed_.notify_one();
    }
    if (--running_ == 0) ended_.notify_all();
  }

  const std::unique_ptr<ObjectStore> inner_;
  std::vector<Thread> threads_;  // start() and end() only
  Mutex mutex_;
  Condition freed_;
  Condition called_;
  Condition ended_;
  std::deque<std::function<void()>> tasks_ CAIRN_GUARDED_BY(mutex_);  // never more than threads
  size_t free_ CAIRN_GUARDED_BY(mutex_) = 0;                          // threads that nobody has taken
  size_t running_ CAIRN_GUARDED_BY(mutex_) = 0;                       // threads that have not ended
  bool ending_ CAIRN_GUARDED_BY(mutex_) = false;
};

DetachedObjectStore::DetachedObjectStore(std::unique_ptr<ObjectStore> inner, const Options& options)
    : description_(inner->describe()),
      way_(inner->way()),
      end_grace_(options.end_grace),
      crew_(Crew::start(std::move(inner), options.threads)) {}

DetachedObjectStore::~DetachedObjectStore() { crew_->end(end_grace_); }

Result<Buffer> DetachedObjectStore::get(const std::string& key, ByteRange range, const RequestContext& context) {
  if (auto taken = crew_->take_thread(context); !taken) return fail(taken.error().in("get " + key));
  return crew_->run([=](ObjectStore& inner) { return inner.get(key, range, context); }, context);
}

Result<void> DetachedObjectStore::put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) {
  if (auto valid = check_put(key, bytes); !valid) return fail(valid.error().in("put"));
  if (auto taken = crew_->take_thread(context); !taken) return fail(taken.error().in("put " + key));
  const auto copy = std::make_shared<const Buffer>(Buffer::copy_of(bytes));
  return crew_->run([=](ObjectStore& inner) { return inner.put_if_absent(key, copy->view(), context); }, context);
}

Result<ObjectInfo> DetachedObjectStore::head(const std::string& key, const RequestContext& context) {
  if (auto taken = crew_->take_thread(context); !taken) return fail(taken.error().in("head " + key));
  return crew_->run([=](ObjectStore& inner) { return inner.head(key, context); }, context);
}

Result<ListPage> DetachedObjectStore::list(const std::string& prefix, const std::string& start_after, size_t limit,
                                           const RequestContext& context) {
  if (auto taken = crew_->take_thread(context); !taken) return fail(taken.error().in("list " + prefix));
  return crew_->run([=](ObjectStore& inner) { return inner.list(prefix, start_after, limit, context); }, context);
}

Result<void> DetachedObjectStore::remove(const std::vector<std::string>& keys, const RequestContext& context) {
  if (auto taken = crew_->take_thread(context); !taken) return fail(taken.error().in(what_is_removed(keys)));
  return crew_->run([=](ObjectStore& inner) { return inner.remove(keys, context); }, context);
}

}  // namespace cairn
