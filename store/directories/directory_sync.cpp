// The work of the thread that has a directory's turn: reading newer records, and committing pending changes.
#include <algorithm>

#include "base/log.h"
#include "base/wait.h"
#include "store/directories/directory.h"
#include "store/directories/record_log.h"
#include "store/directories/retention.h"

namespace cairn {

namespace {

// After this many newer records in a row, a listing says how many more there are.
constexpr size_t kReadsBeforeListing = 4;
// Attempts at one record number that are remembered in case they turn up in the store after all.
constexpr size_t kMaxAttempts = 64;
// A host that keeps losing races waits a random part of up to this many times what a put takes.
constexpr unsigned kMaxBackOffDoublings = 6;
constexpr std::chrono::nanoseconds kMaxBackOff = std::chrono::seconds(1);

// Errors by which a store says for certain that it has not put the record, and never will.
bool is_refusal(Errc code) {
  return code == Errc::permission_denied || code == Errc::read_only || code == Errc::no_space ||
         code == Errc::invalid_argument || code == Errc::unsupported;
}

std::vector<std::string> nothing(const DirectoryState& /*state*/) { return {}; }

bool has_moves(const Record& record) {
  return std::any_of(record.changes.begin(), record.changes.end(),
                     [](const auto& change) { return change.second && change.second->move; });
}

}  // namespace

Directory::Directory(StoreEnvironment& environment, EntryId id)
    : environment_(environment),
      log_(std::make_unique<RecordLog>(environment, id)),
      retention_(std::make_unique<Retention>(environment, *log_)),
      base_(std::make_unique<LoggedState>()) {}

Directory::~Directory() {
  if (pending_.empty()) return;
  environment_.counters.dropped_changes += pending_.size();
  log::warning("directory {:016x}: {} changes were never committed", id(), pending_.size());
}

Result<std::shared_ptr<Directory>> Directory::load(StoreEnvironment& environment, EntryId id,
                                                   const RequestContext& context) {
  std::shared_ptr<Directory> directory(new Directory(environment, id));
  const Inquiry inquiry = directory->begin_inquiry();
  if (auto read = directory->skip_to_newest(context); !read) return fail(std::move(read).error());
  directory->finish_inquiry(inquiry);
  return directory;
}

Result<std::shared_ptr<Directory>> Directory::create(StoreEnvironment& environment, const Attributes& attributes,
                                                     const RequestContext& context) {
  if (environment.options.read_only) return fail(Errc::read_only, "this mount takes no changes");
  while (true) {
    std::shared_ptr<Directory> directory(new Directory(environment, fresh_entry_id(environment.random)));
    const auto put = directory->put_first_record(attributes, context);
    if (put) return directory;
    if (put.error().code() != Errc::already_exists) return fail(put.error());
  }
}

Result<void> Directory::put_first_record(const Attributes& attributes, const RequestContext& context) {
  DirectoryEdit edit(base_->state);
  edit.set_attributes(attributes);
  const auto encoded = log_->encode_next(*base_, edit, nothing);
  if (!encoded) return fail(encoded.error());
  const Inquiry inquiry = begin_inquiry();
  if (auto put = log_->put(*encoded, context); !put) {
    if (put.error().code() != Errc::already_exists) return put;
    // Another directory has this id, or ours does: a retry below us may not know that its first try went through.
    const auto found = log_->fetch(1, context);
    if (!found) return fail(found.error());
    const auto record = log_->decode(*found, *base_, context);
    if (!record || record->commit != encoded->record.commit) return put;
  }
  apply(encoded->record, encoded->object.size());
  finish_inquiry(inquiry);
  return {};
}

// The time is taken before the question leaves: the answer covers every record that was in the store by then, and a
// later time would promise more.
Directory::Inquiry Directory::begin_inquiry() {
  const MutexLock lock(mutex_);
  return {.serial = ++asked_, .began = environment_.clock.steady_now()};
}

void Directory::finish_inquiry(const Inquiry& inquiry) {
  const MutexLock lock(mutex_);
  if (inquiry.serial > answered_.serial) answered_ = inquiry;  // a look beside a commit may come late
}

// Reads on until there is no next record. The first one is always read by itself, as it may be an attempt of ours: a
// listing that jumped over it to a later snapshot would leave that attempt's outcome unknown for ever. If a read fails,
// the inquiry stays unanswered, so that nobody takes the view for newer than it is.
Result<void> Directory::catch_up(const RequestContext& context) {
  const Inquiry inquiry = begin_inquiry();
  for (size_t read = 0; !base_->state.removed; ++read) {
    if (read == kReadsBeforeListing) {
      if (auto skipped = skip_to_newest(context); !skipped) return skipped;
    }
    const auto object = log_->fetch(base_->number + 1, context);
    if (!object && object.error().code() == Errc::not_found) break;
    if (!object) return fail(object.error());
    if (auto absorbed = absorb(*object, context); !absorbed) {
      log_->refuse(object->number, 0, absorbed.error(), context);
      return absorbed;
    }
  }
  finish_inquiry(inquiry);
  return {};
}

Result<void> Directory::skip_to_newest(const RequestContext& context) {
  const auto objects = log_->fetch_since(base_->number, context);
  if (!objects) return fail(objects.error());
  for (const RecordObject& object : *objects) {
    if (auto absorbed = absorb(object, context); !absorbed) {
      log_->refuse(object.number, objects->back().number, absorbed.error(), context);
      return absorbed;
    }
  }
  return {};
}

Result<void> Directory::absorb(const RecordObject& object, const RequestContext& context) {
  const auto record = log_->decode(object, *base_, context);
  if (!record) return fail(record.error());
  apply(*record, object.bytes.size());
  // A rename of another host that is half done. That host most likely completes it within its own commit delay; if it
  // has died, the committer of this one does.
  if (work_hook_ && record->host != environment_.options.host && has_moves(*record)) {
    work_hook_(shared_from_this(), environment_.clock.steady_now() + 2 * environment_.options.commit_delay);
  }
  return {};
}

// Makes `record` the base. If it is one of our attempts, its changes have their outcomes. All attempts were at this
// very number, so the others are void: their changes stay pending, and the next record takes them.
void Directory::apply(const Record& record, uint64_t object_bytes) {
  const MutexLock lock(mutex_);
  const std::vector<Attempt> attempts = std::exchange(attempts_, {});
  base_->apply(record, object_bytes);
  weight_.store(base_->state.weight, std::memory_order_relaxed);
  view_.reset();
  for (const Attempt& attempt : attempts) {
    if (attempt.commit == record.commit) conclude(attempt);
  }
}

void Directory::commit_pending(const Change& own, RequestContext context, const RequestContext& whole) {
  for (unsigned lost_races = 0; context.check(); ++lost_races) {
    if (lost_races > 0) {
      context = answered_soon(whole);
      ++environment_.counters.commit_races;
      back_off(lost_races, context);
    }
    commit_once(context);
    const MutexLock lock(mutex_);
    if (own.outcome) return;
  }
}

// Puts all that is pending and allowed into one record. Afterwards the changes have outcomes, or another host's record
// was first, or the context has ended. The record is encoded and put without the lock: only this thread, which has the
// turn, writes to base_, so `edit` stays valid; changes that arrive meanwhile wait for the next record.
void Directory::commit_once(const RequestContext& context) {
  MutexLock lock(mutex_);
  DirectoryEdit edit(base_->state, environment_.most_directory_weight());
  Attempt attempt;
  for (const ChangePtr& change : pending_) {
    if (change->order <= allowed_) attempt.results.emplace_back(change, run(change->mutation, edit));
  }
  if (edit.empty()) return conclude(attempt);
  lock.unlock();

  const auto encoded = log_->encode_next(
      *base_, edit, [&](const DirectoryState& state) { return retention_->expired(state, base_->number, context); });
  lock.lock();
  if (!encoded) return fail_awaited(attempt, encoded.error());
  // Remembered before the put: from then on the record may be in the store, whatever the put's answer is.
  attempt.commit = encoded->record.commit;
  if (attempts_.size() == kMaxAttempts) attempts_.erase(attempts_.begin());
  attempts_.push_back(attempt);
  lock.unlock();

  // A put that succeeds is an answer, too: there was no newer record.
  const Inquiry inquiry = begin_inquiry();
  const SteadyTime began = system_clock().steady_now();
  const auto put = log_->put(*encoded, context);
  put_took_ = system_clock().steady_now() - began;
  if (!put) return resolve(attempt, put.error(), context);
  ++environment_.counters.commits;
  apply(encoded->record, encoded->object.size());
  finish_inquiry(inquiry);
}

// The put of `attempt` failed, which may mean that it was done, that it will be done, or that it never will. The record
// that carries the number tells; it stays, so reading it once answers the question. A refusal is an answer by itself,
// but for changes that an earlier attempt had with it.
void Directory::resolve(const Attempt& attempt, const Error& put_error, const RequestContext& context) {
  const RecordNumber before = base_->number;
  const bool refused = is_refusal(put_error.code());
  if (refused) forget_last_attempt();
  const auto read = refused && !has_attempts() ? Result<void>() : catch_up(context);
  if (base_->number > before) return;
  if (!context.check()) return;  // the changes stay pending, for the next thread that takes the turn

  const MutexLock lock(mutex_);
  if (!read) {
    const Errc code = read.error().code() == Errc::corrupt ? Errc::corrupt : Errc::unavailable;
    return fail_awaited(attempt, Error(code, fmt::format("a commit that may have been made or not: {}; then {}",
                                                         put_error.message(), read.error().message())));
  }
  const bool unreadable = put_error.code() == Errc::already_exists;
  if (unreadable) {
    return fail_awaited(attempt, Error(Errc::unavailable, put_error.message() + ": exists but cannot be read"));
  }
  if (refused) fail_attempted_before(attempt, put_error);
  fail_awaited(attempt, put_error);
}

void Directory::forget_last_attempt() {
  const MutexLock lock(mutex_);
  attempts_.pop_back();
}

bool Directory::has_attempts() const {
  const MutexLock lock(mutex_);
  return !attempts_.empty();
}

// Changes of `attempt`, which was refused, that are in an earlier attempt too: that one may be on its way still.
void Directory::fail_attempted_before(const Attempt& attempt, const Error& refusal) {
  const auto was_attempted = [&](const ChangePtr& change) CAIRN_REQUIRES(mutex_) {
    return std::any_of(attempts_.begin(), attempts_.end(), [&](const Attempt& earlier) {
      return std::any_of(earlier.results.begin(), earlier.results.end(),
                         [&](const auto& result) { return result.first == change; });
    });
  };
  for (const auto& [change, result] : attempt.results) {
    if (!change->awaited || change->outcome || !was_attempted(change)) continue;
    change->outcome = fail(Errc::unavailable, "a commit that may have been made or not: {}", refusal.to_string());
  }
}

// With the turn: of all threads on this host one competes with the other hosts, and its record serves them all.
void Directory::back_off(unsigned lost_races, const RequestContext& context) {
  const auto most = std::min(put_took_ * (1U << std::min(lost_races, kMaxBackOffDoublings)), kMaxBackOff);
  const auto span = static_cast<uint64_t>(std::max<int64_t>(most.count(), 1));
  (void)pause(std::chrono::nanoseconds(environment_.random.next_u64() % span), context);
}

}  // namespace cairn
