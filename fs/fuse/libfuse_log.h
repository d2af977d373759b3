// What libfuse has to say, in our log instead of on stderr.
#pragma once

#include <string>

namespace cairn {

// From now on libfuse writes to our log. Any number of calls, from any thread.
void capture_libfuse_log();

// The last line that libfuse wrote on this thread since the last call, without its "fuse: "; empty if there is none.
// It is the only reason that a failed mount gives.
std::string take_libfuse_complaint();

}  // namespace cairn
