#include "store/reading/load_profiles.h"

#include "store/format/envelope.h"
#include "store/format/keys.h"

namespace cairn {

Result<LoadOrder> fetch_load_profile(StoreEnvironment& environment, const Digest& id, size_t chunks,
                                     const RequestContext& context) {
  constexpr uint64_t kMostBytes = kMaxProfileMessageBytes + kEnvelopeBytes;
  const auto object = environment.objects.get(keys::profile(id), {.most_bytes = kMostBytes}, context);
  if (!object) return fail(object.error());
  return decode_load_profile(object->view(), chunks);
}

Result<void> put_load_profile(StoreEnvironment& environment, const Digest& id, const LoadOrder& order,
                              const RequestContext& context) {
  const auto object = encode_load_profile(order);
  if (!object) return fail(object.error());
  auto put = environment.objects.put_if_absent(keys::profile(id), object->view(), context);
  if (!put && put.error().code() != Errc::already_exists) return fail(put.error());
  return {};
}

}  // namespace cairn
