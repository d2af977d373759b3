// What a mount and a check make of whole stores that somebody has forged (forged_store.h). Besides that nothing ends
// the process, each input must be done with in five seconds and in twice the memory that the host was given.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"

namespace cairn::fuzz {

void forged_tree(ByteView bytes);   // a mount walks the tree and changes it
void forged_files(ByteView bytes);  // a mount reads files, and saves what should be in them
void forged_check(ByteView bytes);  // check, with every byte
std::vector<std::string> forged_seeds();

}  // namespace cairn::fuzz
