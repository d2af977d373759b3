#include "base/scheduler.h"

#include <atomic>

namespace cairn {

namespace {

std::atomic<Scheduler*> installed{nullptr};

}  // namespace

Scheduler* Scheduler::simulation() { return installed.load(std::memory_order_acquire); }

void Scheduler::install(Scheduler* simulation) { installed.store(simulation, std::memory_order_release); }

}  // namespace cairn
