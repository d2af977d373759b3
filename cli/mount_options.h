// What mount(8) and /etc/fstab put after -o.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/settings.h"

namespace cairn {

// "ro,cache.size=20GiB,nodev,x-systemd.automount": settings are assigned, options for the kernel are collected, and
// options for mount(8) and systemd alone are passed over.
struct MountOptions {
  std::vector<std::string> kernel;  // nodev, nosuid, noexec…: as given, in order
  std::string config_file;          // config=FILE
  bool nonempty = false;            // mount over a directory that has entries
};

// A comma inside a value is written "\,". Failures: invalid_argument for anything unknown.
Result<void> apply_mount_options(std::string_view text, Settings& settings, MountOptions& options);

}  // namespace cairn
