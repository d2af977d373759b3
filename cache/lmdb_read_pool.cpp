#include "cache/lmdb_read_pool.h"

#include <lmdb.h>

#include "base/check.h"
#include "base/mutex.h"
#include "cache/lmdb_error.h"

namespace cairn {

static_assert(LmdbReadPool::kBroken == MDB_PANIC);

LmdbReadPool::~LmdbReadPool() {
  check(out_ == 0, "no read is running when its table goes");
  for (const Reader& reader : idle_) {
    (void)guarded([&] {
      mdb_cursor_close(reader.cursor);
      mdb_txn_abort(reader.transaction);
      return 0;
    });
  }
}

LmdbReadPool::Lease::~Lease() {
  if (pool_ != nullptr) pool_->give_back(reader_);
}

Result<LmdbReadPool::Lease> LmdbReadPool::begin() {
  Reader reader = take_idle();
  if (reader.transaction == nullptr) {
    auto started = start();
    if (!started) {
      give_back({});
      return fail(std::move(started).error());
    }
    return Lease(this, *started);
  }
  const int code = guarded([&] {
    const int renewed = mdb_txn_renew(reader.transaction);
    return renewed == 0 ? mdb_cursor_renew(reader.transaction, reader.cursor) : renewed;
  });
  Lease lease(this, reader);
  if (code != 0) return fail(error_from_lmdb(code, "renew read transaction"));
  return lease;
}

// An idle reader, or an empty one if another may be started.
LmdbReadPool::Reader LmdbReadPool::take_idle() {
  MutexLock lock(mutex_);
  returned_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return out_ < kMaxReaders; });
  ++out_;
  if (idle_.empty()) return {};
  const Reader reader = idle_.back();
  idle_.pop_back();
  return reader;
}

void LmdbReadPool::give_back(Reader reader) {
  if (reader.transaction != nullptr) {
    (void)guarded([&] {
      mdb_txn_reset(reader.transaction);
      return 0;
    });
  }
  MutexLock lock(mutex_);
  --out_;
  if (reader.transaction != nullptr) idle_.push_back(reader);
  returned_.notify_one();
}

Result<LmdbReadPool::Reader> LmdbReadPool::start() {
  Reader reader;
  int code = guarded([&] { return mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reader.transaction); });
  if (code != 0) return fail(error_from_lmdb(code, "begin read transaction"));
  code = guarded([&] {
    const int opened = mdb_cursor_open(reader.transaction, tree_, &reader.cursor);
    if (opened != 0) mdb_txn_abort(reader.transaction);
    return opened;
  });
  if (code == 0) return reader;
  return fail(error_from_lmdb(code, "open cursor"));
}

}  // namespace cairn
