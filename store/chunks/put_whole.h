// Objects that are named by the digest of their content: whoever saves one knows afterwards that it can be read.
#pragma once

#include <functional>
#include <string>

#include "store/environment.h"

namespace cairn {

// An object as its name promises it.
struct NamedObject {
  Digest id{};
  Checksum checksum{};  // of a chunk's bytes; a manifest has none
  std::string key{};
  uint64_t most_bytes = 0;  // an object of more bytes is not what `id` says
  // Whether a found object's bytes are what `id` says; an error if this program cannot tell.
  std::function<Result<bool>(Buffer)> is_whole{};
};

enum class Found { whole, damaged, nothing };

// What is in the store under the key: all of it is fetched and checked, once more if it is damaged, as it may have been
// damaged on its way. Failures: unsupported (a newer program's encoding); those of ObjectStore::get.
Result<Found> look_at(StoreEnvironment& environment, const NamedObject& object, const RequestContext& context);

enum class Put { sent, was_there };

// The object is in the store, whole and durable, when this returns. `bytes` are put if nothing has the key; what has it
// already is believed only after it was looked at, unless this process has put or fetched it before. What is damaged
// is removed and put again: the one way in which a key is given to other bytes. Whoever reads it in between finds none,
// where it would have found damage; whoever puts it in between puts the same. Two hosts that replace it at the same
// time may remove each other's, and put it again. Each request may take StoreOptions::operation_timeout. Failures:
// corrupt (damage that comes back whenever it is removed); those of look_at, and of ObjectStore.
Result<Put> put_whole(StoreEnvironment& environment, const NamedObject& object, ByteView bytes,
                      const RequestContext& context);

}  // namespace cairn
