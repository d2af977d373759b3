// Every request of the kernel, translated into a call of FileSystem. One source for each theme; each fills in its part
// of libfuse's table.
#pragma once

#include "fs/fuse/libfuse.h"

namespace cairn {

// The table. What stays empty there, on purpose:
//   access             default_permissions: the kernel checks modes itself
//   getlk setlk flock  locks are the kernel's own, within this host
//   copy_file_range    the kernel copies through its page cache, and chunks are found again by their digest
//   bmap ioctl poll    nothing that files of ours could answer
//   write_buf          takes pipes; a plain write lets the bytes be read where they were received
fuse_lowlevel_ops all_operations();

void add_connection_operations(fuse_lowlevel_ops& table);
void add_name_operations(fuse_lowlevel_ops& table);
void add_attribute_operations(fuse_lowlevel_ops& table);
void add_xattr_operations(fuse_lowlevel_ops& table);
void add_file_operations(fuse_lowlevel_ops& table);
void add_directory_operations(fuse_lowlevel_ops& table);

}  // namespace cairn
