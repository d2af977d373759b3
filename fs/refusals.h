// Whom the kernel's second question is expected from.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "fs/node.h"

namespace cairn {

// An open that is answered with ESTALE is asked again by the kernel, once, after it has looked the name up. What was
// reached without a name (a bind mount, /proc/self/fd) comes back as it was, and a name that is republished all the
// time is another version again: neither may be refused a second time, or the program gets the ESTALE.
//
// Thread-safety: all methods may be called from any thread.
// Ownership: forgets everybody when there are more than kMaxThreads: who is refused twice then has met a daemon with
//   thousands of refusals under way at once.
class Refusals {
 public:
  static constexpr size_t kMaxThreads = 4096;

  // Whether `thread` may be refused the node that it opens at `place`, and notes that it is. Never a thread that cannot
  // be told from others (0).
  bool refuse(uint32_t thread, const NodePlace& place, const Node& node);
  // The same where it can only be refused: false, if it has come with this very node again.
  bool refuse_node(uint32_t thread, const NodePlace& place, const Node& node);
  // Its open was served.
  void served(uint32_t thread);

 private:
  using Where = std::pair<EntryId, std::string>;  // directory, name
  struct Refused {
    Where where;
    NodeId node = 0;
  };
  template <class Insists>
  bool refuse_unless(uint32_t thread, Refused refused, const Insists& insists);

  Mutex mutex_;
  std::map<uint32_t, Refused> refused_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
