#include "base/work_slots.h"

#include <utility>

namespace cairn {

namespace {

// nullptr while the slot is given back.
thread_local WorkSlots* slots_of_this_thread = nullptr;

}  // namespace

void WorkSlots::of_this_thread(WorkSlots* slots) { slots_of_this_thread = slots; }

WithoutSlot::WithoutSlot() : slots_(std::exchange(slots_of_this_thread, nullptr)) {
  if (slots_ != nullptr) slots_->give_back();
}

WithoutSlot::~WithoutSlot() {
  if (slots_ == nullptr) return;
  slots_->take_again();
  slots_of_this_thread = slots_;
}

}  // namespace cairn
