// Protocol Buffers messages as bytes.
#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/message_lite.h>

#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

// Memory for one message and all below it, of which there is an end. For ParsedMessage.
struct BoundedArena {
  explicit BoundedArena(uint64_t most_bytes);
  Result<void> parse(ByteView bytes, google::protobuf::MessageLite* message, std::string_view what);

  const uint64_t most_bytes;
  google::protobuf::Arena arena;
};

// Failures: no_space (longer than kMaxMessageBytes of envelope.h).
Result<Buffer> serialize(const google::protobuf::MessageLite& message);

// A message made of bytes that may be forged. Two bytes on the wire can become a hundred in memory, so there is a bound
// on what it takes besides one on its length.
// Thread-safety: one thread at a time, the one that made it. Ownership: owns the message.
template <class Message>
class ParsedMessage {
 public:
  explicit ParsedMessage(uint64_t most_bytes) : arena_(most_bytes) {}

  // `what` ("DirectoryRecord") is for errors. Failures: corrupt; no_space (it would take more than `most_bytes`).
  Result<const Message*> parse(ByteView bytes, std::string_view what) {
    auto* message = google::protobuf::Arena::CreateMessage<Message>(&arena_.arena);
    if (auto parsed = arena_.parse(bytes, message, what); !parsed) return fail(std::move(parsed).error());
    return message;
  }

 private:
  BoundedArena arena_;
};

}  // namespace cairn
