// A page of a mapped file that the disk does not give: SIGBUS as a return value.
#pragma once

#include <csetjmp>

namespace cairn {

// While one lives, a SIGBUS of its thread goes back to where its jump buffer was set, and to nobody else. Guards nest.
// The first one takes over the signal for the process; a SIGBUS outside of any guard ends it as ever.
class BusGuard {
 public:
  BusGuard();
  ~BusGuard();
  BusGuard(const BusGuard&) = delete;
  BusGuard& operator=(const BusGuard&) = delete;

  sigjmp_buf& back() { return back_; }

 private:
  sigjmp_buf back_;
  sigjmp_buf* const outer_;
};

// Runs `call`; false: it met such a page and was left in the middle. Nothing that it worked on may be used again, so it
// must be C at heart: no object with a destructor, no lock of ours.
template <class Call>
bool survives_bus_error(const Call& call) {
  BusGuard guard;
  if (sigsetjmp(guard.back(), 0) != 0) return false;
  call();
  return true;
}

}  // namespace cairn
