#include "tests/native/mounted_host.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"
#include "base/unique_fd.h"

namespace cairn {

std::string MountedHost::why_not() {
  if (::geteuid() != 0) return "only root may mount in a namespace of its own";
  const UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  return device.valid() ? "" : "/dev/fuse cannot be opened";
}

void MountedHost::leave_the_mounts() {
  check(::unshare(CLONE_NEWNS) == 0, "root can have a mount namespace");
  check(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "root can make its mounts private");
}

MountedHost::MountedHost(TestHost& host, std::string native_directory) {
  FuseSession::Options options;
  options.mountpoint = directory_.path().string();
  options.source = "mem:test";
  options.native_directory = std::move(native_directory);
  auto session = FuseSession::open(host.files(), host.files(), std::move(options));
  check(session.has_value(), session ? "" : session.error().to_string());
  session_ = std::move(*session);
  runner_ = std::thread([this] { check(session_->run().has_value(), "a session ends orderly"); });
}

MountedHost::~MountedHost() {
  session_->stop();
  runner_.join();
}

}  // namespace cairn
