// A TestHost behind a real mount.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "fs/fuse/fuse_session.h"
#include "tests/support/test_host.h"

namespace cairn {

// In a mount namespace of this process: whatever happens to it, no mount stays. Root only.
class MountedHost {
 public:
  // Why there can be none on this machine; "": there can.
  static std::string why_not();
  // Once in a process, before it has threads.
  static void leave_the_mounts();

  explicit MountedHost(TestHost& host, std::string native_directory);
  ~MountedHost();
  MountedHost(const MountedHost&) = delete;
  MountedHost& operator=(const MountedHost&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return (directory_.path() / name).string(); }

 private:
  const TemporaryDirectory directory_;
  std::unique_ptr<FuseSession> session_;
  std::thread runner_;
};

}  // namespace cairn
