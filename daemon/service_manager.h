// What a service manager wants to hear from a daemon that it has started: the protocol of sd_notify(3).
#pragma once

#include <string_view>

#include "daemon/host_environment.h"

namespace cairn {

// Sends `state` ("READY=1", one assignment a line) to the socket that $NOTIFY_SOCKET names; nothing where there is
// none. A manager that cannot be reached is none: it has its own time-out. Never waits.
void tell_service_manager(const HostEnvironment& host, std::string_view state);

}  // namespace cairn
