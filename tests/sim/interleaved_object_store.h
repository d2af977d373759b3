// A store in a simulation: other hosts may go on before each operation happens and after it has.
#pragma once

#include <string>
#include <type_traits>

#include "remote/object_store.h"
#include "tests/support/seeded_scheduler.h"

namespace cairn {

// Thread-safety: as `inner`'s. Ownership: borrows both.
class InterleavedObjectStore final : public ObjectStore {
 public:
  InterleavedObjectStore(ObjectStore& inner, SeededScheduler& scheduler) : inner_(inner), scheduler_(scheduler) {}

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override {
    return interleave("get " + key, [&] { return inner_.get(key, range, context); });
  }
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override {
    return interleave("put " + key, [&] { return inner_.put_if_absent(key, bytes, context); });
  }
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override {
    return interleave("head " + key, [&] { return inner_.head(key, context); });
  }
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override {
    return interleave("list " + prefix, [&] { return inner_.list(prefix, start_after, limit, context); });
  }
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override {
    return interleave("remove", [&] { return inner_.remove(keys, context); });
  }
  [[nodiscard]] std::string describe() const override { return inner_.describe(); }
  [[nodiscard]] ObjectWay way() const override { return inner_.way(); }

 private:
  template <class Operation>
  std::invoke_result_t<Operation> interleave(const std::string& what, const Operation& operation) {
    scheduler_.yield(what);
    auto answer = operation();
    scheduler_.yield(answer ? what + ": done" : what + ": " + std::string(to_string(answer.error().code())));
    return answer;
  }

  ObjectStore& inner_;
  SeededScheduler& scheduler_;
};

}  // namespace cairn
