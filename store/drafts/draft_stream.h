// Sends the bytes that a sequential writer has left behind while it goes on writing.
#pragma once

#include "base/wait.h"
#include "store/drafts/draft_bytes.h"
#include "store/drafts/draft_chunks.h"
#include "store/segments/segment_plan.h"

namespace cairn {

// Looks only at files that are written from the start on: whole cuts of the written beginning that stay as they are
// (SegmentPlan::settled_bytes) are stored, each once, while DraftChunks has room and the memory budget some to spare.
// It is an optimisation: cuts that it leaves out, or that change later, are stored when the draft is sealed, or when
// its bytes have to make room (DraftSpill).
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

  // The plan of what has been written so far, for others to send by. Waits for the step in progress, and for the store
  // if what it looks at is no longer here. Failures: those of DraftBytes::read, cancelled, deadline_exceeded.
  Result<SegmentPlan> plan_now(const RequestContext& context);

 private:
  void run();
  bool step(uint64_t prefix);
  bool goes_on(bool had_room);
  Result<SegmentPlan> plan(uint64_t prefix, const RequestContext& context);
  bool is_here(uint64_t prefix);
  bool send(const PlannedChunk& cut);

  StoreEnvironment& environment_;
  DraftBytes& bytes_;
  DraftChunks& chunks_;

  Mutex mutex_;
  bool running_ CAIRN_GUARDED_BY(mutex_) = false;  // a task runs: it alone uses planner_
  bool replan_ CAIRN_GUARDED_BY(mutex_) = false;   // bytes changed that the planner had seen
  uint64_t planned_until_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t sent_until_ CAIRN_GUARDED_BY(mutex_) = 0;  // cuts before it were stored once
  uint64_t next_look_ CAIRN_GUARDED_BY(mutex_) = 0;   // nothing to do before the staged beginning is this long
  Condition ended_;

  SegmentPlanner planner_;  // of the thread that set running_
};

}  // namespace cairn
