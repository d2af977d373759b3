#include "store/chunks/put_or_replace.h"

#include <utility>

#include "base/log.h"

namespace cairn {

Result<void> put_or_replace(StoreEnvironment& environment, const Digest& id, const std::string& key, ByteView object,
                            const std::function<bool(Buffer)>& is_whole, const RequestContext& context) {
  ObjectStore& objects = environment.objects;
  auto put = objects.put_if_absent(key, object, context);
  if (put) environment.damaged.remove(id);
  if (put || put.error().code() != Errc::already_exists || !environment.damaged.contains(id)) return put;
  auto there = objects.get(key, {}, context);
  const bool is_gone = !there && there.error().code() == Errc::not_found;
  if (!there && !is_gone) return fail(there.error().in("look at a damaged object"));
  if (there && is_whole(std::move(*there))) {
    environment.damaged.remove(id);
    return put;
  }
  log::warning("'{}' is damaged in the store: it is removed, and put again from bytes that are being saved", key);
  if (auto removed = objects.remove({key}, context); !removed && removed.error().code() != Errc::not_found) {
    return fail(removed.error().in("remove a damaged object"));
  }
  auto again = objects.put_if_absent(key, object, context);
  if (!again && again.error().code() != Errc::already_exists) return again;
  environment.damaged.remove(id);
  return {};
}

}  // namespace cairn
