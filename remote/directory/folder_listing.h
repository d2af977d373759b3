// Objects in the order of their keys, out of directories that have no order.
#pragma once

#include "remote/directory/folder.h"
#include "remote/object_store.h"

namespace cairn {

// ObjectStore::list over the files below `root`. Reads only the folders that can hold a part of the answer, each once:
// with the prefix "dirs/1/" that is one folder, whatever else the store holds.
Result<ListPage> list_below(const Folder& root, const std::string& prefix, const std::string& start_after, size_t limit,
                            const RequestContext& context);

}  // namespace cairn
