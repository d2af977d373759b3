// The threads whose requests wait, as /proc shows them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace cairn {

enum class CallerState {
  unseen,       // of another pid namespace, or hidden from us
  alive,        // and waiting, whatever signals it handles
  interrupted,  // alive, in a system call that reads, and ^C (SIGINT) waits for it to come back
  exiting,      // by itself; nobody hears what its last calls return
  dying,        // killed, or about to be by a signal that it does not handle
};

// The kernel tells a FUSE daemon of any signal, once, and not of which one. What becomes of the thread shows here.
// Thread-safety: immutable.
class Callers {
 public:
  explicit Callers(std::string proc_directory) : proc_(std::move(proc_directory)) {}

  // `thread` as the header of its request has it; 0 where the kernel has no number of it for us. Never waits.
  [[nodiscard]] CallerState look_at(pid_t thread) const;

  // The process that it is a thread of; nullopt: it cannot be seen.
  [[nodiscard]] std::optional<pid_t> process_of(pid_t thread) const;

  // Whose it is, as files see it; nullopt: it cannot be seen.
  [[nodiscard]] std::optional<uint32_t> user_of(pid_t thread) const;

  // It has CAP_SYS_ADMIN, as far as can be seen: who cannot be seen is taken at its word.
  [[nodiscard]] bool may_administer(pid_t thread) const;

 private:
  [[nodiscard]] std::string text_of(pid_t thread, const char* file) const;
  [[nodiscard]] bool is_reading(pid_t thread) const;

  const std::string proc_;
};

}  // namespace cairn
