// Sends what a sequential writer has left behind while it goes on writing.
#pragma once

#include <condition_variable>
#include <mutex>

#include "store/drafts/draft_bytes.h"
#include "store/drafts/draft_chunks.h"
#include "store/segments/segment_plan.h"

namespace cairn {

// Looks only at files that are written from the start on: whole cuts of the staged beginning whose place is settled
// are stored, each once, while DraftChunks has room and the memory budget some to spare. It is an optimisation: what it
// leaves out, or what changes later, is done when the draft is sealed.
//
// Thread-safety: all methods may be called from any thread. Never blocks its callers on anything remote.
class DraftStream {
 public:
  // Borrows all three, which outlive it.
  DraftStream(StoreEnvironment& environment, DraftBytes& bytes, DraftChunks& chunks);
  // Waits for the step in progress.
  ~DraftStream();
  DraftStream(const DraftStream&) = delete;
  DraftStream& operator=(const DraftStream&) = delete;

  // Bytes from `begin` on were written.
  void written(uint64_t begin);
  // The file now ends at `size_bytes`, or was punched from there on.
  void cut(uint64_t size_bytes);

 private:
  void run();
  bool step(uint64_t prefix);
  bool goes_on(bool had_room);
  SegmentPlan plan(uint64_t prefix);
  bool send(const PlannedChunk& cut);

  StoreEnvironment& environment_;
  DraftBytes& bytes_;
  DraftChunks& chunks_;

  std::mutex mutex_;
  bool running_ = false;        // guarded by mutex_; one thread at a time has what follows the mutex's own members
  bool replan_ = false;         // guarded by mutex_; bytes changed that the planner had seen
  uint64_t planned_until_ = 0;  // guarded by mutex_
  uint64_t sent_until_ = 0;     // guarded by mutex_; cuts before it were stored once
  uint64_t next_look_ = 0;      // guarded by mutex_; nothing to do before the staged beginning is this long
  std::condition_variable ended_;

  SegmentPlanner planner_;  // of the thread that set running_
};

}  // namespace cairn
