// Shared bytes that count against the memory budget for exactly as long as they exist.
#pragma once

#include <memory>
#include <utility>

#include "base/bytes.h"
#include "base/memory_budget.h"

namespace cairn {

// `buffer` for many holders: when the last one lets go its bytes are freed, and then `lease` is given back.
inline SharedBuffer share(Buffer buffer, MemoryBudget::Lease lease) {
  struct Leased {
    MemoryBudget::Lease lease;  // declared first, so that it ends last
    Buffer buffer;
  };
  auto leased = std::make_shared<const Leased>(Leased{std::move(lease), std::move(buffer)});
  return {leased, &leased->buffer};
}

}  // namespace cairn
