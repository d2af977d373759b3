// Read transactions that are begun once and renewed for every read.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/wait.h"
#include "cache/bus_guard.h"

struct MDB_cursor;
struct MDB_env;
struct MDB_txn;

namespace cairn {

// Beginning an LMDB read transaction takes a lock shared by all readers and a slot of the lock file; renewing one takes
// neither. A pool (and MDB_NOTLS) instead of one per thread: threads come and go, and a thread that sits idle must not
// hold a slot. A transaction given back pins no pages.
//
// A page that the disk does not give breaks the table: whatever LMDB was doing is left in the middle, and it must not
// be called again, not even to end (guarded()).
//
// Thread-safety: all methods may be called from any thread.
// Ownership: must go before its environment, when no Lease is out.
class LmdbReadPool {
 public:
  // As many reads at once; more wait for one of these to end.
  static constexpr unsigned kMaxReaders = 256;
  static constexpr int kBroken = -30795;  // LMDB's own MDB_PANIC

  LmdbReadPool(MDB_env* environment, unsigned tree) : environment_(environment), tree_(tree) {}
  ~LmdbReadPool();
  LmdbReadPool(const LmdbReadPool&) = delete;
  LmdbReadPool& operator=(const LmdbReadPool&) = delete;

  struct Reader {
    MDB_txn* transaction = nullptr;
    MDB_cursor* cursor = nullptr;
  };

  // A running read transaction with a cursor; ended when it goes.
  class Lease {
   public:
    Lease(LmdbReadPool* pool, Reader reader) : pool_(pool), reader_(reader) {}
    Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), reader_(other.reader_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    [[nodiscard]] MDB_txn* transaction() const { return reader_.transaction; }
    [[nodiscard]] MDB_cursor* cursor() const { return reader_.cursor; }

   private:
    LmdbReadPool* pool_;
    Reader reader_;
  };

  // Failures: corrupt, io.
  Result<Lease> begin();

  // What `call`, which calls LMDB and returns its code, returns; MDB_PANIC if it met such a page, now or ever.
  template <class Call>
  int guarded(const Call& call) {
    if (broken_) return kBroken;
    int code = 0;
    if (survives_bus_error([&] { code = call(); })) return code;
    broken_ = true;
    return kBroken;
  }
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  Reader take_idle();
  void give_back(Reader reader);
  Result<Reader> start();

  std::atomic<bool> broken_{false};
  MDB_env* const environment_;
  const unsigned tree_;
  Mutex mutex_;
  Condition returned_;
  std::vector<Reader> idle_ CAIRN_GUARDED_BY(mutex_);  // reset, not aborted
  unsigned out_ CAIRN_GUARDED_BY(mutex_) = 0;
};

}  // namespace cairn
