// The bytes between libfuse and the kernel, where libfuse cannot be told to do as we need.
#pragma once

#include "base/result.h"

struct fuse_session;

namespace cairn {

// Sends and receives through our own calls, with the endpoint as userdata: they correct the terms of the mount (see the
// source), and let a packet socket stand in for /dev/fuse. Call once, with the session's own device or with a
// connection that it owns from here on.
Result<void> use_own_io(fuse_session* session, int connection);

}  // namespace cairn
