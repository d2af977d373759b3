#include "remote/decorators/hedged_object_store.h"

#include <optional>

#include "base/wait.h"

namespace cairn {

namespace {

constexpr size_t kSecondGetsAtOnce = 4;

std::string_view first_name(std::string_view key) { return key.substr(0, key.find('/')); }

}  // namespace

// One get that may become two. The caller's thread runs the first, a pool thread the second; the race is shared by
// both, since a second get that has lost may return after the caller has its answer.
class HedgedObjectStore::Race {
 public:
  Race(std::string key, ByteRange range, const RequestContext& context)
      : key_(std::move(key)), range_(range), context_(context), relay_(context.stop, Relay{first_, second_}) {}

  std::optional<Schedule::iterator> place;  // under the store's mutex_: its row in schedule_, until it leaves that

  // On the caller's thread. If the first get fails while the second is under way, the second decides.
  Result<Buffer> run_first(ObjectStore& inner) {
    auto answer = inner.get(key_, range_, with_stop(first_));
    MutexLock lock(mutex_);
    first_is_over_ = true;
    if (answer) {
      second_.request_stop();
      return answer;
    }
    ended_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) {
      return !second_is_under_way_;
    });  // bounded as the second get itself is
    if (second_answer_) return std::move(*second_answer_);
    return answer;
  }

  // False if the first get is over: there is nothing left to win. Else run_second must follow.
  bool begin_second() {
    const MutexLock lock(mutex_);
    second_is_under_way_ = !first_is_over_;
    return second_is_under_way_;
  }

  // True if the second get's answer is the answer of the race.
  bool run_second(ObjectStore& inner) {
    auto answer = inner.get(key_, range_, with_stop(second_));
    const MutexLock lock(mutex_);
    second_is_under_way_ = false;
    const bool won = answer.has_value() && !second_.stop_requested();
    if (won) {
      second_answer_ = std::move(*answer);
      first_.request_stop();
    }
    ended_.notify_all();
    return won;
  }

 private:
  struct Relay {
    std::stop_source first;
    std::stop_source second;
    void operator()() {
      first.request_stop();
      second.request_stop();
    }
  };

  [[nodiscard]] RequestContext with_stop(const std::stop_source& source) const {
    RequestContext context = context_;
    context.stop = source.get_token();
    return context;
  }

  const std::string key_;
  const ByteRange range_;
  const RequestContext context_;
  std::stop_source first_;
  std::stop_source second_;
  Mutex mutex_;
  Condition ended_;
  bool first_is_over_ CAIRN_GUARDED_BY(mutex_) = false;
  bool second_is_under_way_ CAIRN_GUARDED_BY(mutex_) = false;
  std::optional<Buffer> second_answer_ CAIRN_GUARDED_BY(mutex_);
  std::stop_callback<Relay> relay_;  // the caller's stop stops both
};

HedgedObjectStore::HedgedObjectStore(ObjectStore& inner, HedgePolicy policy, const Clock& clock)
    : inner_(inner),
      policy_(policy),
      clock_(clock),
      credit_(policy.burst * policy.gets_per_hedge),
      second_gets_("hedge", kSecondGetsAtOnce),
      watcher_("hedge watch", [this](const std::stop_token& stop) { watch(stop); }) {}

HedgedObjectStore::~HedgedObjectStore() = default;

Result<Buffer> HedgedObjectStore::get(const std::string& key, ByteRange range, const RequestContext& context) {
  const auto usual = history_.ninth_decile(first_name(key));
  const SteadyTime begin = clock_.steady_now();
  auto answer = usual ? run_race(std::make_shared<Race>(key, range, context),
                                 std::max(policy_.least_wait, *usual * policy_.factor))
                      : inner_.get(key, range, context);
  if (answer) history_.add(first_name(key), clock_.steady_now() - begin);
  earn_back();
  return answer;
}

Result<Buffer> HedgedObjectStore::run_race(const std::shared_ptr<Race>& race, std::chrono::nanoseconds wait) {
  {
    const MutexLock lock(mutex_);
    race->place = schedule_.emplace(system_clock().steady_now() + wait, race);
    if (race->place == schedule_.begin()) changed_.notify_all();
  }
  auto answer = race->run_first(inner_);
  const MutexLock lock(mutex_);
  if (race->place) schedule_.erase(*race->place);
  return answer;
}

void HedgedObjectStore::watch(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    if (schedule_.empty()) {
      changed_.wait(lock, stop, [this]() CAIRN_REQUIRES(mutex_) { return !schedule_.empty(); });
      continue;
    }
    const auto due = schedule_.begin()->first;
    if (system_clock().steady_now() < due) {
      changed_.wait_until(lock, stop, due, [this, due]() CAIRN_REQUIRES(mutex_) {
        return schedule_.empty() || schedule_.begin()->first < due;
      });
      continue;
    }
    const std::shared_ptr<Race> race = schedule_.begin()->second;
    schedule_.erase(schedule_.begin());
    race->place.reset();
    hedge(race);
  }
}

void HedgedObjectStore::hedge(const std::shared_ptr<Race>& race) {
  if (!spend_hedge()) return;
  if (!race->begin_second()) return;
  ++hedges_;
  second_gets_.submit([this, race] {
    if (race->run_second(inner_)) ++hedges_won_;
  });
}

bool HedgedObjectStore::spend_hedge() {
  uint32_t credit = credit_;
  while (credit >= policy_.gets_per_hedge) {
    if (credit_.compare_exchange_weak(credit, credit - policy_.gets_per_hedge)) return true;
  }
  return false;
}

void HedgedObjectStore::earn_back() {
  uint32_t credit = credit_;
  while (credit < policy_.burst * policy_.gets_per_hedge) {
    if (credit_.compare_exchange_weak(credit, credit + 1)) return;
  }
}

}  // namespace cairn
