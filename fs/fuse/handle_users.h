// Which processes an open file is in use by, so that the close of one that only inherited it publishes nothing.
#pragma once

#include <sys/types.h>

#include <optional>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "fs/fuse/callers.h"
#include "fs/node_id.h"

namespace cairn {

// A fork inherits every descriptor, and its end closes them: the kernel asks for a flush that the program never meant.
// What tells such a process from one that uses the file is that it has neither opened it nor written through it. That
// is known of the threads that requests come from, and of their processes by /proc; where it cannot be known, a close
// is one that was meant. docs/semantics.md, "Durability", says what it comes to.
//
// Thread-safety: all methods may be called from any thread. A thread that is new to a handle costs a look at /proc, all
//   else a look-up.
// Ownership: borrows `callers`.
class HandleUsers {
 public:
  explicit HandleUsers(const Callers& callers) : callers_(callers) {}

  // Handles that were never opened here are used by everybody.
  void opened(HandleId handle, NodeId node, pid_t thread);
  // To be called before the request is answered.
  void wrote(HandleId handle, pid_t thread);
  // Through a mapping: by whom, nobody says.
  void wrote_back(NodeId node);
  // The node's bytes are about to be published.
  void publishes(NodeId node);
  void released(HandleId handle);

  // Whether a close by this thread is one of a process that uses the file.
  [[nodiscard]] bool is_in_use_by(HandleId handle, pid_t thread) const;

 private:
  struct Users {
    NodeId node = 0;
    std::vector<pid_t> threads;    // of whom it need not be asked again
    std::vector<pid_t> processes;  // of all of them
    bool everybody = false;        // one that cannot be seen, or more than are worth remembering
  };
  struct OpenNode {
    size_t handles = 0;
    bool mapped = false;  // bytes came through a mapping since the last publication
  };
  [[nodiscard]] bool knows(HandleId handle, pid_t thread) const;

  const Callers& callers_;
  mutable SharedMutex mutex_;
  std::unordered_map<HandleId, Users> handles_ CAIRN_GUARDED_BY(mutex_);
  std::unordered_map<NodeId, OpenNode> nodes_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
