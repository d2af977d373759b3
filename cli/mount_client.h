// Commands talking to the daemon of a mount.
#pragma once

#include <string>

#include "cli/mounts.h"
#include "cli/streams.h"
#include "daemon/control.h"

namespace cairn {

// control_call() to the daemon of `mountpoint`, with errors that say what to do. Never touches the mount itself.
Result<Json> call_mount(const Streams& streams, const std::string& mountpoint, const Json& request,
                        std::chrono::nanoseconds silence, const ProgressFunction& progress = {});

// The same error for a person: which mount does not answer, and what to do.
Error explain_silence(const Error& error, const std::string& mountpoint);

// The CairnFS mount at `path` or around it. Failures: not_found.
Result<MountPoint> find_mount(const std::string& path, const Streams& streams);

}  // namespace cairn
