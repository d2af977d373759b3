// Objects elsewhere: the only way bytes enter or leave this machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/request_context.h"
#include "base/result.h"

namespace cairn {

// No object is larger: put_if_absent refuses it, and a get of more finds it corrupt before it allocates anything.
inline constexpr uint64_t kMaxObjectBytes = 1ULL << 30;

// Part of an object. `length` may reach past the object's end: the answer is then shorter.
struct ByteRange {
  uint64_t offset = 0;
  std::optional<uint64_t> length{};       // nullopt: to the end
  uint64_t most_bytes = kMaxObjectBytes;  // a longer answer cannot be right: it is corrupt before memory is taken
  // Where in a page of memory the first byte should lie (Buffer::placed), for whoever writes the bytes to a disk as
  // they are. A wish: the bytes are the same wherever they lie.
  std::optional<uint16_t> skew{};
};

struct ObjectInfo {
  std::string key;
  uint64_t size_bytes = 0;
  // Of head: when it was put, by the clock of the store and of no host. nullopt: the store does not say, or it is not
  // head's answer.
  std::optional<Nanos> created{};
};

// How bytes come here from where they are kept: the one place that says how far they may be believed.
struct ObjectWay {
  bool is_authenticated = true;  // nobody on it can change bytes unnoticed; nothing is said of who keeps them
  std::string what;              // "TLS": for status
};

struct ListPage {
  std::vector<ObjectInfo> objects;  // in bytewise order of key
  bool more = false;                // call again with start_after = objects.back().key
};

// A flat set of immutable objects under slash-separated keys ([A-Za-z0-9._-]+ between slashes, no "." or "..").
//
// Thread-safety: all methods may be called from any thread at once.
// Ownership: arguments are borrowed for the call; results are the caller's.
// Failures: unavailable, deadline_exceeded and cancelled (after any of these three a put or a remove may have happened,
//   or may happen still), permission_denied, read_only, no_space, io, and invalid_argument for a malformed key; others
//   as each method says.
//   Every method returns soon after its context's deadline or stop.
// Durability: put_if_absent and remove return only when the result survives the loss of this machine's power.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // The bytes of `range`; a range that starts at or past the end gives an empty buffer. Failures: not_found;
  // corrupt (more than range.most_bytes).
  virtual Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) = 0;

  // Creates the object, whole or not at all. Of many racers for one key exactly one succeeds; the others get
  // already_exists, and from then on every reader sees the winner's bytes. (A racer with the very bytes of the winner
  // may be told that it succeeded, too, if a fault hid who was first.)
  virtual Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) = 0;

  // Failures: not_found.
  virtual Result<ObjectInfo> head(const std::string& key, const RequestContext& context) = 0;

  // At most `limit` (>= 1) objects whose keys start with `prefix` and sort after `start_after`. Read-after-write
  // consistent. Not a snapshot across pages.
  virtual Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                                const RequestContext& context) = 0;

  // Removes the objects, in no order; removing what is not there succeeds. After a failure, some may be gone.
  virtual Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) = 0;

  // "dir:/srv/models": for messages and status; never holds a secret.
  [[nodiscard]] virtual std::string describe() const = 0;

  // The least trustworthy way that any of its answers may have come by.
  [[nodiscard]] virtual ObjectWay way() const = 0;
};

}  // namespace cairn
