// FileSystem's answers in the shapes that libfuse sends.
#pragma once

#include <sys/stat.h>

#include "base/bytes.h"
#include "fs/file_system.h"
#include "fs/fuse/libfuse.h"

namespace cairn {

// S_IFREG, S_IFDIR…
mode_t file_type(Kind kind);
// A date beyond what 64 bits of nanoseconds reach (1677 to 2262) becomes the nearest that they do.
Nanos from_timespec(const timespec& time);
struct stat to_stat(const NodeAttributes& attributes);
// As the request's mount shows them (Ownership).
struct stat to_stat(fuse_req_t raw, const NodeAttributes& attributes);
fuse_entry_param to_entry(fuse_req_t raw, const NodeReply& reply);
double to_seconds(std::chrono::nanoseconds duration);

// Answers with a node that counts one lookup; gives the lookup back if the kernel does not take the answer (its caller
// was killed meanwhile).
void reply_entry(fuse_req_t raw, FileSystem& files, const NodeReply& reply);
void reply_attributes(fuse_req_t raw, const NodeReply& reply);

// Memory for one reply, which the thread uses again for its next ones. The bytes are uninitialised or of an earlier
// reply.
MutableByteView reply_buffer(size_t size_bytes);
void reply_bytes(fuse_req_t raw, ByteView bytes);

}  // namespace cairn
