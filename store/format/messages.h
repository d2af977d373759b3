// Protocol Buffers messages as bytes.
#pragma once

#include <google/protobuf/message_lite.h>

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

// Failures: no_space (longer than kMaxMessageBytes of envelope.h).
Result<Buffer> serialize(const google::protobuf::MessageLite& message);

// False: `bytes` are no such message.
[[nodiscard]] bool parse(ByteView bytes, google::protobuf::MessageLite* message);

}  // namespace cairn
