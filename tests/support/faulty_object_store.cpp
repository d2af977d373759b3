#include "tests/support/faulty_object_store.h"

#include <algorithm>

namespace cairn {

namespace {

Error crash_error(const std::string& what) { return {Errc::unavailable, what + ": the store is down (injected)"}; }

}  // namespace

void FaultyObjectStore::add(FaultRule rule) {
  const MutexLock lock(mutex_);
  rules_.push_back({std::move(rule)});
}

std::shared_ptr<Gate> FaultyObjectStore::block(ObjectOperation operation, std::string key_prefix) {
  auto gate = std::make_shared<Gate>();
  add({.operation = operation,
       .key_prefix = std::move(key_prefix),
       .times = kEveryTime,
       .effect = FaultEffect::block,
       .gate = gate});
  return gate;
}

void FaultyObjectStore::heal() {
  const MutexLock lock(mutex_);
  rules_.clear();
  crashed_ = false;
}

uint64_t FaultyObjectStore::count() const {
  const MutexLock lock(mutex_);
  return asked_.size();
}

uint64_t FaultyObjectStore::count(ObjectOperation operation, std::string_view key_prefix) const {
  const MutexLock lock(mutex_);
  const auto matches = [&](const Asked& asked) {
    return asked.operation == operation && asked.key.starts_with(key_prefix);
  };
  return static_cast<uint64_t>(std::count_if(asked_.begin(), asked_.end(), matches));
}

void FaultyObjectStore::reset_counts() {
  const MutexLock lock(mutex_);
  asked_.clear();
}

bool FaultyObjectStore::crashed() const {
  const MutexLock lock(mutex_);
  return crashed_;
}

void FaultyObjectStore::apply(const FaultRule& rule, const std::string& what, Faults& faults) {
  const Error error(rule.error, what + ": injected fault");
  switch (rule.effect) {
    case FaultEffect::fail_before: faults.before = error; break;
    case FaultEffect::fail_after: faults.after = error; break;
    case FaultEffect::truncate: faults.truncate = true; break;
    case FaultEffect::flip_bit: faults.flip_bit = true; break;
    case FaultEffect::block: faults.gates.push_back(rule.gate); break;
    case FaultEffect::crash_before:
      crashed_ = true;
      faults.before = crash_error(what);
      break;
    case FaultEffect::crash_after:
      crashed_ = true;
      faults.after = crash_error(what);
      break;
  }
}

FaultyObjectStore::Faults FaultyObjectStore::match(ObjectOperation operation, const std::string& key) {
  const std::string what = std::string(to_string(operation)) + " " + key;
  const MutexLock lock(mutex_);
  asked_.push_back({operation, key});
  Faults faults;
  if (crashed_) {
    faults.before = crash_error(what);
    return faults;
  }
  for (ActiveRule& active : rules_) {
    const FaultRule& rule = active.rule;
    if (rule.operation.value_or(operation) != operation || !key.starts_with(rule.key_prefix)) continue;
    ++active.matches;
    if (active.matches >= rule.nth && active.matches - rule.nth < rule.times) apply(rule, what, faults);
  }
  return faults;
}

Result<FaultyObjectStore::Faults> FaultyObjectStore::enter(ObjectOperation operation, const std::string& key,
                                                           const RequestContext& context) {
  Faults faults = match(operation, key);
  for (const std::shared_ptr<Gate>& gate : faults.gates) {
    if (auto passed = gate->pass(context); !passed) return fail(passed.error().in(to_string(operation)));
  }
  if (faults.before) return fail(*faults.before);
  return faults;
}

void FaultyObjectStore::damage(const Faults& faults, Buffer& bytes) {
  if (faults.truncate) bytes.shrink_to(bytes.size() / 2);
  if (faults.flip_bit && !bytes.empty()) bytes.data()[bytes.size() / 2] ^= std::byte{0x10};
}

template <class T>
Result<T> FaultyObjectStore::leave(const Faults& faults, Result<T> result) {
  if (faults.after) return fail(*faults.after);
  return result;
}

Result<Buffer> FaultyObjectStore::get(const std::string& key, ByteRange range, const RequestContext& context) {
  const auto faults = enter(ObjectOperation::get, key, context);
  if (!faults) return fail(faults.error());
  auto bytes = inner_.get(key, range, context);
  if (bytes) damage(*faults, *bytes);
  return leave(*faults, std::move(bytes));
}

Result<void> FaultyObjectStore::put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) {
  const auto faults = enter(ObjectOperation::put_if_absent, key, context);
  if (!faults) return fail(faults.error());
  if (!faults->truncate && !faults->flip_bit) return leave(*faults, inner_.put_if_absent(key, bytes, context));
  Buffer damaged = Buffer::copy_of(bytes);
  damage(*faults, damaged);
  return leave(*faults, inner_.put_if_absent(key, damaged.view(), context));
}

Result<ObjectInfo> FaultyObjectStore::head(const std::string& key, const RequestContext& context) {
  const auto faults = enter(ObjectOperation::head, key, context);
  if (!faults) return fail(faults.error());
  return leave(*faults, inner_.head(key, context));
}

Result<ListPage> FaultyObjectStore::list(const std::string& prefix, const std::string& start_after, size_t limit,
                                         const RequestContext& context) {
  const auto faults = enter(ObjectOperation::list, prefix, context);
  if (!faults) return fail(faults.error());
  return leave(*faults, inner_.list(prefix, start_after, limit, context));
}

Result<void> FaultyObjectStore::remove(const std::vector<std::string>& keys, const RequestContext& context) {
  const auto faults = enter(ObjectOperation::remove, keys.empty() ? std::string() : keys.front(), context);
  if (!faults) return fail(faults.error());
  return leave(*faults, inner_.remove(keys, context));
}

}  // namespace cairn
