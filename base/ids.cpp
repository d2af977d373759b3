#include "base/ids.h"

namespace cairn {

EntryId fresh_entry_id(Random& random) {
  EntryId id = 0;
  while (id <= kRootId) id = random.next_u64();
  return id;
}

}  // namespace cairn
