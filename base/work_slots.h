// What a pool bounds: how many of its threads work at once, and not how many wait.
#pragma once

namespace cairn {

// A pool whose threads give their slots back while they wait for a store, so that others can work meanwhile. Whoever
// takes its slot again gets it at once, even if for a moment more threads work than there are slots: a thread that has
// what it waited for never waits for a second thing.
// Thread-safety: all methods may be called from any thread. Both may be called with locks held, and take no others than
// the pool's own.
class WorkSlots {
 public:
  virtual ~WorkSlots() = default;
  virtual void give_back() = 0;
  virtual void take_again() = 0;

  // The pool in which the calling thread has a slot from now on; nullptr: none, as at first.
  static void of_this_thread(WorkSlots* slots);
};

// A wait for a store, or for somebody who may be waiting for one. Make it around such waits wherever a thread that
// serves requests may come along; elsewhere, and inside of another one, it does nothing.
class WithoutSlot {
 public:
  WithoutSlot();
  ~WithoutSlot();
  WithoutSlot(const WithoutSlot&) = delete;
  WithoutSlot& operator=(const WithoutSlot&) = delete;

 private:
  WorkSlots* const slots_;  // nullptr: nothing to take again
};

}  // namespace cairn
