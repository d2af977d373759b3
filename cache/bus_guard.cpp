#include "cache/bus_guard.h"

#include <csignal>
#include <utility>

namespace cairn {

namespace {

thread_local sigjmp_buf* t_back = nullptr;

// Outside of a guard the faulting instruction runs again, and ends the process the usual way.
void on_bus_error(int /*number*/) {
  if (t_back != nullptr) siglongjmp(*t_back, 1);
  ::signal(SIGBUS, SIG_DFL);
}

// Without SA_NODEFER the signal would stay blocked after the jump, and the next one would be deadly.
bool take_over() {
  struct sigaction action {};
  action.sa_handler = on_bus_error;
  action.sa_flags = SA_NODEFER;
  return ::sigaction(SIGBUS, &action, nullptr) == 0;
}

}  // namespace

BusGuard::BusGuard() : outer_(std::exchange(t_back, &back_)) {
  static const bool taken = take_over();
  (void)taken;
}

BusGuard::~BusGuard() { t_back = outer_; }

}  // namespace cairn
