// The view, the queue of changes, and waiting for the turn. The work of a thread that has it is in directory_sync.cpp.
#include "store/directories/directory.h"

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "base/work_slots.h"
#include "store/directories/record_log.h"

namespace cairn {

namespace {

// With this many changes pending nobody waits for commit_delay to pass; with the second number no more are taken.
constexpr size_t kManyPending = 4096;
constexpr size_t kMaxPending = 200'000;

}  // namespace

EntryId Directory::id() const { return log_->directory(); }

void Directory::set_work_hook(WorkHook hook) { work_hook_ = std::move(hook); }

Result<void> Directory::run(const Mutation& mutation, DirectoryEdit& edit) {
  if (!mutation) return {};
  if (edit.removed()) return fail(Error(Errc::not_found, "the directory is removed", ENOENT));
  return mutation(edit);
}

DirectoryEdit& Directory::view() const {
  if (!view_) {
    view_.emplace(base_->state, environment_.most_directory_weight());
    listed_.reset();
    // A change that no longer fits is left out of the view; whether it fails is decided when it is committed.
    for (const ChangePtr& change : pending_) (void)run(change->mutation, *view_);
  }
  return *view_;
}

EntryPtr Directory::find(std::string_view name) const {
  const MutexLock lock(mutex_);
  return view().find(name);
}

EntryPtr Directory::find_any(std::string_view name) const {
  const MutexLock lock(mutex_);
  return view().find_any(name);
}

Attributes Directory::attributes() const {
  const MutexLock lock(mutex_);
  return view().attributes();
}

std::shared_ptr<const Directory::Names> Directory::list() const {
  const MutexLock lock(mutex_);
  const DirectoryEdit& now = view();
  auto names = listed_.lock();
  if (!names) {
    names = std::make_shared<const Names>(now.list());
    listed_ = names;
  }
  return names;
}

DirectoryState Directory::state() const {
  const MutexLock lock(mutex_);
  DirectoryState state = base_->state;
  view().apply_to(state);
  return state;
}

EntryPtr Directory::find_committed(std::string_view name) const {
  const MutexLock lock(mutex_);
  return base_->state.find_any(name);
}

std::pair<std::string, EntryPtr> Directory::find_committed_if(
    const std::function<bool(const Entry& entry)>& wanted) const {
  const MutexLock lock(mutex_);
  for (const auto& [name, entry] : base_->state.entries) {
    if (wanted(*entry)) return {name, entry};
  }
  return {};
}

bool Directory::removed() const {
  const MutexLock lock(mutex_);
  return base_->state.removed;
}

std::vector<std::string> Directory::unfinished_moves() const {
  const MutexLock lock(mutex_);
  return {base_->moves.begin(), base_->moves.end()};
}

std::chrono::nanoseconds Directory::age() const {
  const MutexLock lock(mutex_);
  return environment_.clock.steady_now() - answered_.began;
}

// Another thread's answer will do if its question began after this call. A question that was under way already may have
// missed a record that is in the store by now: hence the serial numbers. Who waits to commit goes first: what he has
// asked of the store is an answer for those who look, and they may look beside it.
Result<void> Directory::refresh(std::chrono::nanoseconds max_age, const RequestContext& context) {
  MutexLock lock(mutex_);
  const uint64_t asked_before = asked_;
  const SteadyTime oldest = environment_.clock.steady_now() - max_age;
  RecordNumber next_exists = 0;  // as a look beside a commit has found; 0: none has
  const auto is_fresh = [&]() CAIRN_REQUIRES(mutex_) {
    const bool young = max_age.count() > 0 && answered_.began >= oldest;
    return young || answered_.serial > asked_before || base_->state.removed;  // nothing follows a removal
  };
  const auto may_look = [&]() CAIRN_REQUIRES(mutex_) {
    return committing_ && !looking_ && next_exists != base_->number + 1;
  };
  const auto may_take_turn = [&]() CAIRN_REQUIRES(mutex_) { return !turn_taken_ && committers_ == 0; };
  while (!is_fresh()) {
    if (auto alive = context.check(); !alive) return fail(alive.error().in("refresh a directory"));
    Result<void> read;
    if (may_take_turn()) {
      const Role turn(*this, turn_taken_, lock);
      read = catch_up(context);
    } else if (may_look()) {
      const RecordNumber next = base_->number + 1;
      const auto exists = look_beside(lock, context);
      if (!exists) read = fail(exists.error());
      if (exists && *exists) next_exists = next;
    } else {
      const WithoutSlot waiting;
      (void)changed_.wait(lock, context,
                          [&]() CAIRN_REQUIRES(mutex_) { return may_take_turn() || is_fresh() || may_look(); });
    }
    if (!read) return read;
  }
  return {};
}

// Whether the record after the last known one exists. If not, the view is what the store says, and a commit under way
// changes that no sooner than it ends. If it does, whoever has the turn is about to meet it.
Result<bool> Directory::look_beside(MutexLock& lock, const RequestContext& context) {
  const RecordNumber next = base_->number + 1;
  const Inquiry inquiry{.serial = ++asked_, .began = environment_.clock.steady_now()};
  const Role looking(*this, looking_, lock);
  const auto found = log_->fetch(next, context);
  if (found) return true;
  if (found.error().code() != Errc::not_found) return fail(found.error());
  finish_inquiry(inquiry);
  return false;
}

Result<Directory::ChangePtr> Directory::enqueue(Mutation mutation, bool awaited, uint64_t order) {
  if (environment_.options.read_only) return fail(Errc::read_only, "this mount takes no changes");
  if (pending_.size() >= kMaxPending) {
    return fail(Errc::unavailable, "{} changes of one directory wait for the store", pending_.size());
  }
  // Tried on the view first: a change that cannot be fails here, before it waits for anything.
  if (auto applied = run(mutation, view()); !applied) return fail(std::move(applied).error());
  listed_.reset();
  auto change = std::make_shared<Change>();
  change->mutation = std::move(mutation);
  change->awaited = awaited;
  change->order = order;
  change->since = environment_.clock.steady_now();
  pending_.push_back(change);
  return change;
}

Result<void> Directory::commit(Mutation mutation, const RequestContext& context) {
  MutexLock lock(mutex_);
  const auto change = enqueue(std::move(mutation), true);
  if (!change) return fail(change.error());
  return await(*change, lock, context);
}

Result<void> Directory::flush(const RequestContext& context) {
  MutexLock lock(mutex_);
  if (pending_.empty()) return {};
  const auto barrier = enqueue({}, true);
  if (!barrier) return fail(barrier.error());
  return await(*barrier, lock, context);
}

Result<void> Directory::commit_soon(Mutation mutation) {
  MutexLock lock(mutex_);
  const auto change = enqueue(std::move(mutation), false);
  if (!change) return fail(change.error());
  // Told once for all that is pending, and once more when that is too much to wait; without the lock, since the
  // committer has one of its own. If another thread commits the change before the hook is called, the job finds
  // nothing.
  const bool tell = !announced_ || pending_.size() == kManyPending;
  announced_ = true;
  const SteadyTime due = due_locked().value_or((*change)->since);
  lock.unlock();
  if (tell && work_hook_) work_hook_(shared_from_this(), due);
  return {};
}

Result<void> Directory::commit_in_order(Mutation mutation, uint64_t order) {
  const MutexLock lock(mutex_);
  const auto change = enqueue(std::move(mutation), false, order);
  if (!change) return fail(change.error());
  return {};
}

void Directory::allow(uint64_t order) {
  const MutexLock lock(mutex_);
  allowed_ = std::max(allowed_, order);
}

// All are pending before the first one is waited for, which takes the others along.
std::vector<Result<void>> Directory::commit_all(std::vector<Mutation> mutations, const RequestContext& context) {
  std::vector<Result<ChangePtr>> changes;
  std::vector<Result<void>> outcomes;
  MutexLock lock(mutex_);
  for (Mutation& mutation : mutations) changes.push_back(enqueue(std::move(mutation), true));
  for (const auto& change : changes) {
    outcomes.push_back(change ? await(*change, lock, context) : fail(change.error()));
  }
  return outcomes;
}

std::optional<SteadyTime> Directory::due() const {
  const MutexLock lock(mutex_);
  return due_locked();
}

std::optional<SteadyTime> Directory::due_locked() const {
  const auto oldest = std::find_if(pending_.begin(), pending_.end(),
                                   [](const auto& change) { return !change->awaited && change->order == 0; });
  if (oldest == pending_.end()) return std::nullopt;
  const bool many = pending_.size() >= kManyPending;
  return (*oldest)->since + (many ? std::chrono::nanoseconds(0) : environment_.options.commit_delay);
}

// Every waiter is ready to do the work itself, so that nobody depends on another's request staying alive. A close has
// an hour; of that, what it has for its record while the store says nothing is the commit that is under way, and its
// own.
Result<void> Directory::await(const ChangePtr& change, MutexLock& lock, const RequestContext& whole) {
  RequestContext context = answered_soon(whole);
  for (RecordNumber heard = base_->number; !change->outcome;) {
    if (heard != base_->number) context = answered_soon(whole);
    heard = base_->number;
    if (auto alive = context.check(); !alive) {
      withdraw(change);
      return fail(alive.error().in("commit to a directory"));
    }
    if (turn_taken_) {
      const WithoutSlot waiting;
      ++committers_;
      (void)changed_.wait(lock, context, [&]() CAIRN_REQUIRES(mutex_) { return change->outcome || !turn_taken_; });
      if (--committers_ == 0) changed_.notify_all();
    } else {
      committing_ = true;
      {
        const Role turn(*this, turn_taken_, lock);
        commit_pending(*change, context, whole);
      }
      committing_ = false;
    }
  }
  return *change->outcome;
}

RequestContext Directory::answered_soon(const RequestContext& whole) const {
  return whole.no_longer_than(2 * environment_.options.operation_timeout);
}

// If the change is part of a record under way, it is in the store with that record or not at all.
void Directory::withdraw(const ChangePtr& change) {
  std::erase(pending_, change);
  view_.reset();
}

void Directory::conclude(const Attempt& attempt) {
  for (const auto& [change, result] : attempt.results) {
    change->outcome = result;
    if (!result && !change->awaited) report_dropped(result.error());
  }
  drop_finished();
}

// Nobody misses a change of a directory that is removed by now.
void Directory::report_dropped(const Error& error) const {
  if (base_->state.removed) return log::debug("directory {:016x} is removed, and a change of it with it", id());
  ++environment_.counters.dropped_changes;
  log::warning("directory {:016x}: a change that was to be committed later is dropped: {}", id(), error.to_string());
}

// Changes of commit_soon() stay pending: nobody waits for their error, and a later record takes them along.
void Directory::fail_awaited(const Attempt& attempt, const Error& error) {
  for (const auto& [change, result] : attempt.results) {
    if (change->awaited && !change->outcome) change->outcome = fail(error);
  }
  drop_finished();
}

void Directory::drop_finished() {
  std::erase_if(pending_, [](const ChangePtr& change) { return change->outcome.has_value(); });
  announced_ = due_locked().has_value();
  view_.reset();
  changed_.notify_all();
}

}  // namespace cairn
