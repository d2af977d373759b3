#include "store/format/messages.h"

#include <limits>
#include <new>

#include "base/check.h"
#include "base/units.h"
#include "store/format/envelope.h"

namespace cairn {

namespace {

constexpr uint64_t kUnbounded = std::numeric_limits<uint64_t>::max();
thread_local uint64_t bytes_left = kUnbounded;  // of the parse under way on this thread

void* take_block(size_t size) {
  if (size > bytes_left) throw std::bad_alloc();
  bytes_left -= size;
  return ::operator new(size);
}

void give_block(void* block, size_t /*size*/) { ::operator delete(block); }

google::protobuf::ArenaOptions bounded() {
  google::protobuf::ArenaOptions options;
  options.block_alloc = take_block;
  options.block_dealloc = give_block;
  return options;
}

}  // namespace

Result<Buffer> serialize(const google::protobuf::MessageLite& message) {
  const size_t size = message.ByteSizeLong();
  if (size > kMaxMessageBytes) return fail(Errc::no_space, "{} do not fit one object", human_bytes(size));
  Buffer bytes(size);
  check(message.SerializeToArray(bytes.data(), static_cast<int>(size)), "a message of known size is serialised");
  return bytes;
}

BoundedArena::BoundedArena(uint64_t most) : most_bytes(most), arena(bounded()) {}

// What protobuf takes for a message it takes by take_block, on this thread, and nowhere can it be told to stop but
// there.
Result<void> BoundedArena::parse(ByteView bytes, google::protobuf::MessageLite* message, std::string_view what) {
  bytes_left = most_bytes;
  bool is_whole = false;
  bool has_room = true;
  try {
    is_whole = message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  } catch (const std::bad_alloc&) {
    has_room = false;
  }
  bytes_left = kUnbounded;
  if (!has_room) return fail(Errc::no_space, "a {} that takes more than {}", what, human_bytes(most_bytes));
  if (!is_whole) return fail(Errc::corrupt, "not a {}", what);
  return {};
}

}  // namespace cairn
