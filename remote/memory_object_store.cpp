#include "remote/memory_object_store.h"

#include <algorithm>

#include "base/mutex.h"
#include "remote/object_rules.h"

namespace cairn {

namespace {

// The part of an object of `size` bytes that `range` names.
ByteView part_of(ByteView whole, const ByteRange& range) {
  const uint64_t offset = std::min<uint64_t>(range.offset, whole.size());
  const uint64_t rest = whole.size() - offset;
  return whole.subspan(offset, std::min(rest, range.length.value_or(rest)));
}

}  // namespace

Result<MemoryObjectStore::Object> MemoryObjectStore::find(const std::string& key, const RequestContext& context) const {
  if (auto valid = check_key(key); !valid) return fail(std::move(valid).error());
  if (auto live = context.check(); !live) return fail(std::move(live).error());
  const MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return fail(Errc::not_found, "no such object");
  return found->second;
}

Result<Buffer> MemoryObjectStore::get(const std::string& key, ByteRange range, const RequestContext& context) {
  auto object = find(key, context);
  if (!object) return fail(object.error().in("get " + key));
  const ByteView part = part_of(object->bytes->view(), range);
  if (auto sane = check_answer(part.size(), range); !sane) return fail(sane.error().in("get " + key));
  return Buffer::copy_of(part);
}

Result<void> MemoryObjectStore::put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) {
  if (auto valid = check_put(key, bytes); !valid) return fail(valid.error().in("put"));
  const auto existing = find(key, context);
  if (existing) return fail(Errc::already_exists, "put {}: already there", key);
  if (existing.error().code() != Errc::not_found) return fail(existing.error().in("put " + key));
  Object object{std::make_shared<const Buffer>(Buffer::copy_of(bytes)), clock_.wall_now()};
  const MutexLock lock(mutex_);
  if (!objects_.try_emplace(key, std::move(object)).second) {
    return fail(Errc::already_exists, "put {}: already there", key);
  }
  return {};
}

Result<ObjectInfo> MemoryObjectStore::head(const std::string& key, const RequestContext& context) {
  const auto object = find(key, context);
  if (!object) return fail(object.error().in("head " + key));
  return ObjectInfo{key, object->bytes->size(), object->created};
}

Result<ListPage> MemoryObjectStore::list(const std::string& prefix, const std::string& start_after, size_t limit,
                                         const RequestContext& context) {
  if (auto valid = check_list(prefix, limit); !valid) return fail(valid.error().in("list"));
  if (auto live = context.check(); !live) return fail(live.error().in("list " + prefix));
  const MutexLock lock(mutex_);
  auto next = start_after < prefix ? objects_.lower_bound(prefix) : objects_.upper_bound(start_after);
  ListPage page;
  for (; next != objects_.end() && next->first.starts_with(prefix); ++next) {
    if (page.objects.size() == limit) {
      page.more = true;
      break;
    }
    page.objects.push_back({next->first, next->second.bytes->size()});
  }
  return page;
}

Result<void> MemoryObjectStore::remove(const std::vector<std::string>& keys, const RequestContext& context) {
  if (auto valid = check_keys(keys); !valid) return fail(valid.error().in("remove"));
  if (auto live = context.check(); !live) return fail(live.error().in(what_is_removed(keys)));
  const MutexLock lock(mutex_);
  for (const std::string& key : keys) objects_.erase(key);
  return {};
}

}  // namespace cairn
