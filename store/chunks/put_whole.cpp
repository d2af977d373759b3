#include "store/chunks/put_whole.h"

#include <utility>

#include "base/log.h"

namespace cairn {

namespace {

// Others may remove and put the same object meanwhile, for the same reason.
constexpr int kAttempts = 3;

Result<Found> look_once(StoreEnvironment& environment, const NamedObject& object, const RequestContext& context) {
  auto there = environment.objects.get(object.key, {.most_bytes = object.most_bytes},
                                       context.no_longer_than(environment.options.operation_timeout));
  if (!there && there.error().code() == Errc::not_found) return Found::nothing;
  if (!there && there.error().code() == Errc::corrupt) return Found::damaged;
  if (!there) return fail(there.error());
  const auto whole = object.is_whole(std::move(*there));
  if (!whole) return fail(whole.error());
  return *whole ? Found::whole : Found::damaged;
}

Result<void> remove_damaged(StoreEnvironment& environment, const NamedObject& object, const RequestContext& context) {
  log::warning("'{}' is damaged in the store: it is removed, and put again from bytes that are being saved",
               object.key);
  const auto removed =
      environment.objects.remove({object.key}, context.no_longer_than(environment.options.operation_timeout));
  if (removed || removed.error().code() == Errc::not_found) return {};
  return fail(removed.error().in("remove a damaged object"));
}

bool is_proven(const StoreEnvironment& environment, const NamedObject& object) {
  return environment.known.is_proven(object.id, object.checksum) && !environment.damaged.contains(object.id);
}

Put now_whole(StoreEnvironment& environment, const NamedObject& object, Put how) {
  environment.damaged.remove(object.id);
  environment.known.prove(object.id, object.checksum);
  return how;
}

}  // namespace

Result<Found> look_at(StoreEnvironment& environment, const NamedObject& object, const RequestContext& context) {
  auto found = look_once(environment, object, context);
  if (found && *found == Found::damaged) {
    ++environment.counters.corrupt_objects;
    found = look_once(environment, object, context);
  }
  if (!found) return fail(found.error().in("look at what is in the store already"));
  if (*found == Found::whole) now_whole(environment, object, Put::was_there);
  return found;
}

Result<Put> put_whole(StoreEnvironment& environment, const NamedObject& object, ByteView bytes,
                      const RequestContext& context) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto put = environment.objects.put_if_absent(object.key, bytes,
                                                       context.no_longer_than(environment.options.operation_timeout));
    if (put) return now_whole(environment, object, Put::sent);
    if (put.error().code() != Errc::already_exists) return fail(put.error());
    if (is_proven(environment, object)) return Put::was_there;
    const auto found = look_at(environment, object, context);
    if (!found) return fail(found.error());
    if (*found == Found::whole) return Put::was_there;
    if (*found == Found::nothing) continue;
    if (auto removed = remove_damaged(environment, object, context); !removed) return fail(removed.error());
  }
  return fail(Errc::corrupt, "'{}': what is there is not what its name says, and comes back when it is removed",
              object.key);
}

}  // namespace cairn
