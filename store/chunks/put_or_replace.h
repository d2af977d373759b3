// The one way in which an object's key is given to other bytes: because what it had were not its bytes.
#pragma once

#include <functional>
#include <string>

#include "store/environment.h"

namespace cairn {

// ObjectStore::put_if_absent of an object that is named by the digest of its content. If there is one, and this process
// has found it damaged, it is looked at once more, and removed and put again if it still is. Whoever reads it in
// between finds none, where it would have found damage; whoever puts it in between puts the same. Two hosts that
// replace it at the same time may remove each other's, and put it again. `is_whole`: whether an object's bytes are what
// `id` says. Failures: already_exists, and it is not known to be damaged; those of ObjectStore.
Result<void> put_or_replace(StoreEnvironment& environment, const Digest& id, const std::string& key, ByteView object,
                            const std::function<bool(Buffer)>& is_whole, const RequestContext& context);

}  // namespace cairn
