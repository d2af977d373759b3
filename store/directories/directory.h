// One directory of the store: its current state, and the commits that change it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/request_context.h"
#include "base/wait.h"
#include "store/directories/directory_edit.h"
#include "store/environment.h"

namespace cairn {

class RecordLog;
class Retention;
struct LoggedState;
struct Record;
struct RecordObject;

// The local view is the last known record of the store with this host's pending changes replayed on top. Whoever wants
// to talk to the store about this directory takes its turn: one thread at a time reads on or commits, with its own
// request's context; all who wait share what it learns, and when it is interrupted the next one goes on. While the turn
// is somebody's who commits, those who only look ask for the next record beside it.
//
// Thread-safety: all methods may be called from any thread. No lock is held over a remote call.
// Ownership: shared; keeps a reference to its StoreEnvironment, which must outlive it.
// Failures: each mutation's own; corrupt (a record that does not check); those of ObjectStore; read_only; not_found
//   once the directory is removed.
// Durability: commit() and flush() return once the record is in the store; commit_soon() before.
class Directory : public std::enable_shared_from_this<Directory> {
 public:
  // The newest record of `id`, by one listing and the records its snapshot needs. Failures: not_found (no records).
  static Result<std::shared_ptr<Directory>> load(StoreEnvironment& environment, EntryId id,
                                                 const RequestContext& context);
  // A new directory with its first record in the store, under a fresh id.
  static Result<std::shared_ptr<Directory>> create(StoreEnvironment& environment, const Attributes& attributes,
                                                   const RequestContext& context);
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // Called, without locks, when the directory has something left to do by `due`: changes that commit_soon took, or
  // moves that another host left half done. Set once, before the directory is shared.
  using WorkHook = std::function<void(std::shared_ptr<Directory> directory, SteadyTime due)>;
  void set_work_hook(WorkHook hook);

  [[nodiscard]] EntryId id() const;
  // About the memory that it takes while it is loaded: DirectoryState::weight as of the last record.
  [[nodiscard]] uint64_t weight_bytes() const { return weight_.load(std::memory_order_relaxed); }

  // Makes sure the view includes every record that was in the store `max_age` ago: asks for the next number unless
  // that was done more recently. With 0 the asking begins after this call.
  Result<void> refresh(std::chrono::nanoseconds max_age, const RequestContext& context);
  // How long ago the store was last asked: bounds how long the kernel may keep what it is told now.
  [[nodiscard]] std::chrono::nanoseconds age() const;

  // The local view, never waiting for the remote.
  [[nodiscard]] EntryPtr find(std::string_view name) const;
  [[nodiscard]] EntryPtr find_any(std::string_view name) const;
  [[nodiscard]] Attributes attributes() const;
  // Live entries, as they are now: what one opendir sees. All who list between two changes share one.
  using Names = std::vector<std::pair<std::string, EntryPtr>>;
  [[nodiscard]] std::shared_ptr<const Names> list() const;
  [[nodiscard]] DirectoryState state() const;

  // What the last known record says, without this host's pending changes.
  [[nodiscard]] EntryPtr find_committed(std::string_view name) const;  // deleted ones included
  // The first entry, deleted ones included, for which `wanted` holds, with its name; nullptr if there is none.
  [[nodiscard]] std::pair<std::string, EntryPtr> find_committed_if(
      const std::function<bool(const Entry& entry)>& wanted) const;
  [[nodiscard]] bool removed() const;
  [[nodiscard]] std::vector<std::string> unfinished_moves() const;  // names whose entries carry a Move

  // Applies `mutation` to the view, and returns once it is in the store, together with all that was pending before it.
  // Concurrent callers share records (group commit). After an error the view is as if it had never been, and so is the
  // store; except that after cancelled, deadline_exceeded and unavailable the record may have been on its way: the
  // mutation is then found whole in some later record, or never.
  // A mutation may run for records that lose, so a result that it passes out through its captures proves nothing: ask
  // find() afterwards.
  Result<void> commit(Mutation mutation, const RequestContext& context);
  // Applies `mutation` to the local view now; the store follows within StoreOptions::commit_delay. If another host's
  // change makes it fail by then, it is dropped, logged and counted; if that host has removed the directory, it is moot
  // and dropped without a word. Failures: unavailable when too much is pending.
  Result<void> commit_soon(Mutation mutation);
  // As commit_soon, but what follows an order that spans directories: the store follows no sooner than allow() has been
  // called with `order` (above 0) or more, and when somebody commits then. What commits before that passes it.
  Result<void> commit_in_order(Mutation mutation, uint64_t order);
  void allow(uint64_t order);
  // commit() of each, in one record as long as no other host comes between. An outcome for each.
  std::vector<Result<void>> commit_all(std::vector<Mutation> mutations, const RequestContext& context);
  // Commits what is pending and allowed.
  Result<void> flush(const RequestContext& context);
  // When the oldest pending change is due; nullopt when nothing is pending.
  [[nodiscard]] std::optional<SteadyTime> due() const;

 private:
  // A mutation on its way into the store.
  struct Change {
    Mutation mutation;    // empty: a barrier, for flush()
    bool awaited = true;  // false: from commit_soon or commit_in_order
    uint64_t order = 0;   // from commit_in_order
    SteadyTime since{};
    std::optional<Result<void>> outcome{};  // under the directory's mutex_
  };
  using ChangePtr = std::shared_ptr<Change>;

  // A record that was sent, with the answers of its mutations: their outcomes, if that record is found in the store.
  struct Attempt {
    std::array<std::byte, 16> commit{};
    std::vector<std::pair<ChangePtr, Result<void>>> results;
  };

  // One question to the store about the newest record.
  struct Inquiry {
    uint64_t serial = 0;
    SteadyTime began{};
  };

  // A role of one thread at a time: the turn, or looking beside it. The lock is given back while it lasts.
  class Role {
   public:
    Role(Directory& directory, bool& taken, MutexLock& lock) : directory_(directory), taken_(taken), lock_(lock) {
      taken_ = true;
      lock_.unlock();
    }
    ~Role() {
      lock_.lock();
      taken_ = false;
      directory_.changed_.notify_all();
    }
    Role(const Role&) = delete;
    Role& operator=(const Role&) = delete;

   private:
    Directory& directory_;
    bool& taken_;
    MutexLock& lock_;
  };

  Directory(StoreEnvironment& environment, EntryId id);

  // directory.cpp: the view and the queue. With mutex_ held:
  static Result<void> run(const Mutation& mutation, DirectoryEdit& edit);
  DirectoryEdit& view() const CAIRN_REQUIRES(mutex_);
  [[nodiscard]] Result<ChangePtr> enqueue(Mutation mutation, bool awaited, uint64_t order = 0) CAIRN_REQUIRES(mutex_);
  Result<bool> look_beside(MutexLock& lock, const RequestContext& context) CAIRN_REQUIRES(mutex_);
  Result<void> await(const ChangePtr& change, MutexLock& lock, const RequestContext& whole) CAIRN_REQUIRES(mutex_);
  void withdraw(const ChangePtr& change) CAIRN_REQUIRES(mutex_);
  void conclude(const Attempt& attempt) CAIRN_REQUIRES(mutex_);
  void report_dropped(const Error& error) const CAIRN_REQUIRES(mutex_);
  void fail_awaited(const Attempt& attempt, const Error& error) CAIRN_REQUIRES(mutex_);
  void drop_finished() CAIRN_REQUIRES(mutex_);
  [[nodiscard]] std::optional<SteadyTime> due_locked() const CAIRN_REQUIRES(mutex_);

  // directory_sync.cpp: the work of the thread that has the turn, without mutex_.
  Result<void> put_first_record(const Attributes& attributes, const RequestContext& context);
  Result<void> catch_up(const RequestContext& context);
  Result<void> skip_to_newest(const RequestContext& context);
  Result<void> absorb(const RecordObject& object, const RequestContext& context);
  void apply(const Record& record, uint64_t object_bytes);
  void commit_pending(const Change& own, RequestContext context, const RequestContext& whole);
  [[nodiscard]] RequestContext answered_soon(const RequestContext& whole) const;
  void commit_once(const RequestContext& context);
  void resolve(const Attempt& attempt, const Error& put_error, const RequestContext& context);
  void forget_last_attempt();
  [[nodiscard]] bool has_attempts() const;
  void fail_attempted_before(const Attempt& attempt, const Error& refusal) CAIRN_REQUIRES(mutex_);
  void back_off(unsigned lost_races, const RequestContext& context);
  [[nodiscard]] Inquiry begin_inquiry();
  void finish_inquiry(const Inquiry& inquiry);

  StoreEnvironment& environment_;
  const std::unique_ptr<const RecordLog> log_;
  const std::unique_ptr<Retention> retention_;  // for the thread that has the turn
  WorkHook work_hook_;

  mutable Mutex mutex_;
  Condition changed_;  // a change has its outcome, or the turn is free

  // Only the thread that has the turn writes to it, under mutex_: that one may read it without, all others only with.
  const std::unique_ptr<LoggedState> base_;
  std::atomic<uint64_t> weight_{0};  // base_->state.weight

  mutable std::optional<DirectoryEdit> view_
      CAIRN_GUARDED_BY(mutex_);  // base_ with pending_ replayed; nullopt: to be replayed
  mutable std::weak_ptr<const Names> listed_ CAIRN_GUARDED_BY(mutex_);  // of view_ as it is
  std::deque<ChangePtr> pending_ CAIRN_GUARDED_BY(mutex_);              // in order of arrival, none with an outcome
  uint64_t allowed_ CAIRN_GUARDED_BY(mutex_) = 0;                       // Change::order up to this one
  std::vector<Attempt> attempts_
      CAIRN_GUARDED_BY(mutex_);  // at the record after base_, of which the outcome is not known
  bool turn_taken_ CAIRN_GUARDED_BY(mutex_) = false;
  bool committing_ CAIRN_GUARDED_BY(mutex_) = false;  // whoever has the turn
  size_t committers_ CAIRN_GUARDED_BY(mutex_) = 0;    // how many wait for the turn to commit
  bool looking_ CAIRN_GUARDED_BY(mutex_) = false;     // somebody asks beside it
  bool announced_ CAIRN_GUARDED_BY(mutex_) = false;   // work_hook_ knows of pending_
  uint64_t asked_ CAIRN_GUARDED_BY(mutex_) = 0;       // inquiries begun
  Inquiry answered_ CAIRN_GUARDED_BY(mutex_);         // the newest one that was answered

  std::chrono::nanoseconds put_took_{0};  // for the thread that has the turn: how long the last put of a record took
};

}  // namespace cairn
