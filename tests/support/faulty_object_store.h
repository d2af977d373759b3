// An ObjectStore that misbehaves as it is told: faults are data, not code in the store under test.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "remote/object_operation.h"
#include "remote/object_store.h"
#include "tests/support/gate.h"

namespace cairn {

enum class FaultEffect {
  fail_before,   // FaultRule::error, and nothing happened
  fail_after,    // FaultRule::error, but it did happen: the ambiguous put
  truncate,      // half of the bytes: of a get's answer, or of what a put stores
  flip_bit,      // one bit in the middle: of a get's answer, or of what a put stores
  block,         // waits at FaultRule::gate (cancelled or deadline_exceeded if that ends first), then goes on
  crash_before,  // this operation and every later one fail with unavailable, and did not happen
  crash_after,   // this operation happens and fails with unavailable, every later one fails and does not happen
};

inline constexpr uint64_t kEveryTime = std::numeric_limits<uint64_t>::max();

// {.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .nth = 3, .effect = FaultEffect::fail_after}
struct FaultRule {
  std::optional<ObjectOperation> operation{};  // nullopt: any
  std::string key_prefix{};                    // of the key; of a list's prefix
  uint64_t nth = 1;                            // the first match that is hit, counted since add(): 1 is the next one
  uint64_t times = 1;                          // how many matches are hit in a row
  FaultEffect effect = FaultEffect::fail_before;
  Errc error = Errc::unavailable;  // for fail_before and fail_after
  std::shared_ptr<Gate> gate{};    // for block
};

// A decorator that counts every operation and applies the rules to those that match, all rules that hit at once.
// Thread-safety: all methods may be called from any thread.
// Ownership: `inner` is borrowed and outlives this object.
class FaultyObjectStore final : public ObjectStore {
 public:
  explicit FaultyObjectStore(ObjectStore& inner) : inner_(inner) {}

  void add(FaultRule rule);
  // From now on every such operation waits at the gate that is returned.
  std::shared_ptr<Gate> block(ObjectOperation operation, std::string key_prefix);
  // Forgets all rules and undoes a crash: the network is back.
  void heal();

  // Operations asked of this store so far, those that failed included.
  [[nodiscard]] uint64_t count() const;
  [[nodiscard]] uint64_t count(ObjectOperation operation, std::string_view key_prefix = {}) const;
  void reset_counts();
  [[nodiscard]] bool crashed() const;

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override;
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override;
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override;
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override;
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override;
  [[nodiscard]] std::string describe() const override { return inner_.describe(); }
  [[nodiscard]] ObjectWay way() const override { return inner_.way(); }

 private:
  // What the rules make of one operation.
  struct Faults {
    std::optional<Error> before;  // fail without doing it
    std::optional<Error> after;   // do it, then fail
    bool truncate = false;
    bool flip_bit = false;
    std::vector<std::shared_ptr<Gate>> gates;
  };
  struct ActiveRule {
    FaultRule rule;
    uint64_t matches = 0;
  };
  struct Asked {
    ObjectOperation operation;
    std::string key;
  };

  // Counts the operation, works out its faults, and waits at their gates.
  Result<Faults> enter(ObjectOperation operation, const std::string& key, const RequestContext& context);
  Faults match(ObjectOperation operation, const std::string& key);
  void apply(const FaultRule& rule, const std::string& what, Faults& faults) CAIRN_REQUIRES(mutex_);
  static void damage(const Faults& faults, Buffer& bytes);
  template <class T>
  static Result<T> leave(const Faults& faults, Result<T> result);

  ObjectStore& inner_;
  mutable Mutex mutex_;
  std::vector<ActiveRule> rules_ CAIRN_GUARDED_BY(mutex_);
  std::vector<Asked> asked_ CAIRN_GUARDED_BY(mutex_);
  bool crashed_ CAIRN_GUARDED_BY(mutex_) = false;
};

}  // namespace cairn
