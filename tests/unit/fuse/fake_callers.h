// /proc, as far as the daemon looks at who waits for it.
#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/test_environment.h"

namespace cairn {

// Threads are unseen until a test shows them. Thread-safety: none; one test thread.
class FakeCallers {
 public:
  struct Seen {
    int pending = 0;  // a signal; 0: none
    int handled = 0;
    int blocked = 0;
    long system_call = 0;  // -1: in a page fault
    bool exiting = false;
    int exit_code = 0;
    uint32_t process = 0;  // 0: the thread is its first one
    uint64_t capabilities = 0;
    uint32_t user = 0;
  };

  [[nodiscard]] std::string path() const { return directory_.path(); }

  void show(uint32_t thread, const Seen& seen) const {
    const auto home = directory_.path() / std::to_string(thread);
    std::filesystem::create_directory(home);
    std::ofstream(home / "stat") << stat_of(thread, seen);
    std::ofstream(home / "syscall") << seen.system_call << " 0x3 0x7ffd\n";
    std::ofstream(home / "status.new") << "Name:\tpython3\nState:\tS (sleeping)\nTgid:\t"
                                       << (seen.process != 0 ? seen.process : thread)
                                       << fmt::format("\nUid:\t1\t2\t3\t{}\nSigQ:\t0/96365\n", seen.user) << "SigPnd:\t"
                                       << mask(0) << "\nShdPnd:\t" << mask(seen.pending) << "\nSigBlk:\t"
                                       << mask(seen.blocked) << "\nSigIgn:\t" << mask(0) << "\nSigCgt:\t"
                                       << mask(seen.handled) << fmt::format("\nCapEff:\t{:016x}\n", seen.capabilities);
    std::filesystem::rename(home / "status.new", home / "status");
  }

 private:
  static std::string mask(int signal) { return fmt::format("{:016x}", signal == 0 ? 0 : uint64_t{1} << (signal - 1)); }
  static std::string stat_of(uint32_t thread, const Seen& seen) {
    std::string stat = fmt::format("{} (a) b) S", thread);
    for (int field = 4; field <= 52; ++field) {
      const int flags = seen.exiting ? 0x404004 : 0x400000;
      stat += fmt::format(" {}", field == 9 ? flags : field == 52 ? seen.exit_code : 1);
    }
    return stat + "\n";
  }

  TemporaryDirectory directory_;
};

}  // namespace cairn
