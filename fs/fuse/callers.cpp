#include "fs/fuse/callers.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <vector>

namespace cairn {

namespace {

constexpr unsigned long kExitingFlag = 0x4;  // PF_EXITING of the kernel's sched.h

constexpr uint64_t bit(int signal) { return uint64_t{1} << (signal - 1); }

// By default these do not end a process.
constexpr uint64_t kHarmless = bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH) | bit(SIGSTOP) | bit(SIGTSTP) |
                               bit(SIGTTIN) | bit(SIGTTOU);

// The mask after `name` ("\nSigPnd:") in /proc/<thread>/status.
uint64_t mask_in(const std::string& status, std::string_view name) {
  const size_t at = status.find(name);
  return at == std::string::npos ? 0 : std::strtoull(status.c_str() + at + name.size(), nullptr, 16);
}

struct Signals {
  explicit Signals(const std::string& status)
      : pending(mask_in(status, "\nSigPnd:") | mask_in(status, "\nShdPnd:")),
        blocked(mask_in(status, "\nSigBlk:")),
        ignored(mask_in(status, "\nSigIgn:")),
        handled(mask_in(status, "\nSigCgt:")) {}

  // The kernel makes a SIGKILL to every thread of most signals that end a process; those that leave a core behind wait
  // for the thread to come back.
  [[nodiscard]] bool fatal() const {
    return (pending & bit(SIGKILL)) != 0 || (pending & ~blocked & ~ignored & ~handled & ~kHarmless) != 0;
  }
  [[nodiscard]] bool ctrl_c() const { return (pending & ~blocked & handled & bit(SIGINT)) != 0; }

  uint64_t pending, blocked, ignored, handled;
};

// The fields of /proc/<thread>/stat from the third on: the second, the program's name, may contain anything.
struct LifeSigns {
  explicit LifeSigns(const std::string& stat) {
    constexpr size_t kFlags = 9 - 3, kExitCode = 52 - 3;
    std::istringstream text(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
    const std::vector<std::string> fields{std::istream_iterator<std::string>(text), {}};
    if (fields.size() <= kExitCode) return;
    exiting = (std::strtoul(fields[kFlags].c_str(), nullptr, 10) & kExitingFlag) != 0;
    killed = exiting && (std::strtol(fields[kExitCode].c_str(), nullptr, 10) & 0x7f) != 0;
  }

  bool exiting = false;
  bool killed = false;
};

}  // namespace

CallerState Callers::look_at(pid_t thread) const {
  if (thread == 0) return CallerState::unseen;
  const std::string status = text_of(thread, "status");
  if (status.empty()) return CallerState::unseen;
  const Signals signals(status);
  if (signals.fatal()) return CallerState::dying;
  const LifeSigns life(text_of(thread, "stat"));
  if (life.killed) return CallerState::dying;
  if (life.exiting) return CallerState::exiting;
  return signals.ctrl_c() && is_reading(thread) ? CallerState::interrupted : CallerState::alive;
}

std::optional<pid_t> Callers::process_of(pid_t thread) const {
  constexpr std::string_view kName = "\nTgid:";
  if (thread == 0) return std::nullopt;
  const std::string status = text_of(thread, "status");
  const size_t at = status.find(kName);
  if (at == std::string::npos) return std::nullopt;
  return static_cast<pid_t>(std::strtol(status.c_str() + at + kName.size(), nullptr, 10));
}

// Its directory is its user's, which is quicker to ask for than its status is to read; but root's as well if it is not
// dumpable.
std::optional<uint32_t> Callers::user_of(pid_t thread) const {
  constexpr std::string_view kName = "\nUid:";
  if (thread == 0) return std::nullopt;
  struct stat directory {};
  if (::stat((proc_ + "/" + std::to_string(thread)).c_str(), &directory) == 0 && directory.st_uid != 0) {
    return directory.st_uid;
  }
  const std::string status = text_of(thread, "status");
  const size_t at = status.find(kName);
  if (at == std::string::npos) return std::nullopt;
  std::istringstream ids(status.substr(at + kName.size()));
  uint32_t real = 0, effective = 0, saved = 0, of_files = 0;
  if (!(ids >> real >> effective >> saved >> of_files)) return std::nullopt;
  return of_files;
}

bool Callers::may_administer(pid_t thread) const {
  constexpr uint64_t kSysAdmin = uint64_t{1} << 21;
  const std::string status = thread == 0 ? std::string() : text_of(thread, "status");
  return status.find("\nCapEff:") == std::string::npos || (mask_in(status, "\nCapEff:") & kSysAdmin) != 0;
}

std::string Callers::text_of(pid_t thread, const char* file) const {
  std::ifstream text(proc_ + "/" + std::to_string(thread) + "/" + file);
  return {std::istreambuf_iterator<char>(text), {}};
}

// Whoever reads through a mapping, in a page fault, is in no system call, and would get a SIGBUS for an EINTR.
bool Callers::is_reading(pid_t thread) const {
  std::istringstream call(text_of(thread, "syscall"));
  long number = -1;
  if (!(call >> number)) return false;
  return number == SYS_read || number == SYS_pread64 || number == SYS_readv || number == SYS_preadv ||
         number == SYS_preadv2;
}

}  // namespace cairn
