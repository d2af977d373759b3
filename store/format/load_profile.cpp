#include "store/format/load_profile.h"

#include "store/format/envelope.h"
#include "store/format/format.pb.h"
#include "store/format/messages.h"

namespace cairn {

namespace {

// What a message of the greatest length becomes, with what protobuf keeps besides.
constexpr uint64_t kMostParsedBytes = 32 * kMaxProfileMessageBytes;

bool continues_run(const LoadOrder& order, size_t at) { return at > 0 && order[at] == order[at - 1] + 1; }

// Adds the run to the order. False: it is none of a version of `chunks`, or has a chunk that was listed before.
bool add_run(int64_t begin, uint32_t length, std::vector<bool>& is_listed, LoadOrder& order) {
  const size_t chunks = is_listed.size();
  if (begin < 0 || length == 0 || length > chunks || static_cast<uint64_t>(begin) > chunks - length) return false;
  for (size_t i = static_cast<size_t>(begin); i < static_cast<size_t>(begin) + length; ++i) {
    if (is_listed[i]) return false;
    is_listed[i] = true;
    order.push_back(static_cast<uint32_t>(i));
  }
  return true;
}

}  // namespace

size_t count_runs(const LoadOrder& order) {
  size_t runs = 0;
  for (size_t i = 0; i < order.size(); ++i) runs += continues_run(order, i) ? 0U : 1U;
  return runs;
}

Result<Buffer> encode_load_profile(const LoadOrder& order) {
  format::LoadProfile proto;
  int64_t end = 0;
  for (size_t i = 0; i < order.size();) {
    size_t next = i + 1;
    while (next < order.size() && continues_run(order, next)) ++next;
    proto.add_starts(static_cast<int64_t>(order[i]) - end);
    proto.add_lengths(static_cast<uint32_t>(next - i));
    end = static_cast<int64_t>(order[next - 1]) + 1;
    i = next;
  }
  auto message = serialize(proto);
  if (!message) return message;
  if (message->size() > kMaxProfileMessageBytes) {
    return fail(Errc::no_space, "a load profile of {} bytes", message->size());
  }
  return wrap_envelope(kProfileMagic, message->view());
}

Result<LoadOrder> decode_load_profile(ByteView object, size_t chunks) {
  auto message = unwrap_envelope(kProfileMagic, object, kMaxProfileMessageBytes);
  if (!message) {
    const bool too_long = message.error().code() == Errc::no_space;
    return too_long ? fail(Errc::corrupt, "a load profile of an impossible length") : fail(message.error());
  }
  ParsedMessage<format::LoadProfile> parsed(kMostParsedBytes);
  const auto proto = parsed.parse(message->view(), "LoadProfile");
  if (!proto) return fail(proto.error());
  const format::LoadProfile& profile = **proto;
  if (profile.starts_size() != profile.lengths_size()) return fail(Errc::corrupt, "starts without lengths");
  LoadOrder order;
  std::vector<bool> is_listed(chunks);
  int64_t end = 0;
  for (int i = 0; i < profile.starts_size(); ++i) {
    const int64_t begin = profile.starts(i);
    // Between the ends of what can be listed nothing overflows.
    const bool is_near = begin >= -end && begin <= static_cast<int64_t>(chunks);
    if (!is_near || !add_run(end + begin, profile.lengths(i), is_listed, order)) {
      return fail(Errc::corrupt, "a load profile of other chunks than the version's {}", chunks);
    }
    end += begin + profile.lengths(i);
  }
  return order;
}

}  // namespace cairn
