#include "store/format/messages.h"

#include "base/check.h"
#include "base/units.h"
#include "store/format/envelope.h"

namespace cairn {

Result<Buffer> serialize(const google::protobuf::MessageLite& message) {
  const size_t size = message.ByteSizeLong();
  if (size > kMaxMessageBytes) return fail(Errc::no_space, "{} do not fit one object", human_bytes(size));
  Buffer bytes(size);
  check(message.SerializeToArray(bytes.data(), static_cast<int>(size)), "a message of known size is serialised");
  return bytes;
}

bool parse(ByteView bytes, google::protobuf::MessageLite* message) {
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace cairn
