#include "tests/unit/remote/directory/observed_calls.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <mutex>
#include <utility>

namespace cairn {

namespace {

// The calls below have C linkage and no object to belong to, hence this one.
struct Observation {
  std::mutex mutex;
  bool on = false;
  std::string root;
  std::vector<std::string> calls;
  ObservedCalls::Spoiler spoiler;
  int lost_link_errno = 0;
};

Observation& observation() {
  static Observation instance;
  return instance;
}

std::string path_of(int fd) {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), path.data(), path.size());
  const std::string_view whole(path.data(), size > 0 ? static_cast<size_t>(size) : 0);
  const std::string& root = observation().root;
  if (whole == root) return ".";
  if (whole.starts_with(root + "/+tmp/")) return "+tmp/…";
  return std::string(whole.starts_with(root) ? whole.substr(root.size() + 1) : whole);
}

// Records the call; gives the errno it shall fail with, or 0.
int observe(const std::string& verb, int fd, const std::string& leaf = {}) {
  Observation& seen = observation();
  ObservedCalls::Spoiler spoiler;
  std::string call;
  {
    const std::lock_guard lock(seen.mutex);
    if (!seen.on) return 0;
    call = verb + " " + path_of(fd) + leaf;
    seen.calls.push_back(call);
    spoiler = seen.spoiler;
  }
  return spoiler ? spoiler(call) : 0;
}

int take_lost_link_errno() {
  const std::lock_guard lock(observation().mutex);
  return std::exchange(observation().lost_link_errno, 0);
}

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

ObservedCalls::ObservedCalls(std::string root) {
  Observation& seen = observation();
  const std::lock_guard lock(seen.mutex);
  seen.on = true;
  seen.root = std::move(root);
}

ObservedCalls::~ObservedCalls() {
  Observation& seen = observation();
  const std::lock_guard lock(seen.mutex);
  seen.on = false;
  seen.calls.clear();
  seen.spoiler = nullptr;
  seen.lost_link_errno = 0;
}

void ObservedCalls::spoil(Spoiler spoiler) {
  const std::lock_guard lock(observation().mutex);
  observation().spoiler = std::move(spoiler);
}

void ObservedCalls::lose_link_reply(int errno_value) {
  const std::lock_guard lock(observation().mutex);
  observation().lost_link_errno = errno_value;
}

std::vector<std::string> ObservedCalls::calls() const {
  const std::lock_guard lock(observation().mutex);
  return observation().calls;
}

void ObservedCalls::forget() {
  const std::lock_guard lock(observation().mutex);
  observation().calls.clear();
}

}  // namespace cairn

// This program's definitions come before the C library's, for the code under test too.
extern "C" {

int fsync(int fd) {
  if (const int error = cairn::observe("fsync", fd); error != 0) {
    errno = error;
    return -1;
  }
  return cairn::real<int (*)(int)>("fsync")(fd);
}

int fdatasync(int fd) {
  if (const int error = cairn::observe("fdatasync", fd); error != 0) {
    errno = error;
    return -1;
  }
  return cairn::real<int (*)(int)>("fdatasync")(fd);
}

int linkat(int from_fd, const char* from, int to_fd, const char* to, int flags) noexcept {
  if (const int error = cairn::observe("link", to_fd, std::string("/") + to); error != 0) {
    errno = error;
    return -1;
  }
  const int result =
      cairn::real<int (*)(int, const char*, int, const char*, int)>("linkat")(from_fd, from, to_fd, to, flags);
  if (const int lost = cairn::take_lost_link_errno(); lost != 0) {
    errno = lost;
    return -1;
  }
  return result;
}

DIR* fdopendir(int fd) {
  cairn::observe("read", fd);
  return cairn::real<DIR* (*)(int)>("fdopendir")(fd);
}

}  // extern "C"
