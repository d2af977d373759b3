// What real processes look like from outside.
#include "fs/fuse/callers.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/thread.h"

namespace cairn {
namespace {

// A process that waits in a read of an empty pipe, after `prepare`.
class Child {
 public:
  template <class Prepare>
  explicit Child(Prepare prepare) {
    int ready[2], never[2];
    EXPECT_EQ(::pipe(ready) + ::pipe(never), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      prepare();
      char byte = 0;
      (void)!::write(ready[1], &byte, 1);
      (void)!::read(never[0], &byte, 1);
      ::_exit(0);
    }
    ::close(ready[1]);
    char byte = 0;
    (void)!::read(ready[0], &byte, 1);  // nothing, if it has ended
    for (const int fd : {ready[0], never[0], never[1]}) ::close(fd);
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST(Callers, a_thread_that_waits_is_alive) {
  const Child child([] {});
  EXPECT_EQ(Callers("/proc").look_at(child.pid()), CallerState::alive);
}

TEST(Callers, a_blocked_signal_kills_nobody_yet) {
  const Child child([] {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    ::raise(SIGTERM);
    ::raise(SIGQUIT);
  });
  EXPECT_EQ(Callers("/proc").look_at(child.pid()), CallerState::alive);
}

TEST(Callers, a_killed_process_is_dying_until_it_is_reaped) {
  const Child child([] {});
  ::kill(child.pid(), SIGKILL);
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(Callers("/proc").look_at(child.pid()), CallerState::dying);
}

TEST(Callers, a_process_that_ended_by_itself_is_exiting_until_it_is_reaped) {
  const Child child([] { ::_exit(3); });
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(Callers("/proc").look_at(child.pid()), CallerState::exiting);
}

TEST(Callers, nobody_is_seen_under_a_number_that_is_free_or_unknown) {
  EXPECT_EQ(Callers("/proc").look_at(0), CallerState::unseen);
  EXPECT_EQ(Callers("/nowhere").look_at(::getpid()), CallerState::unseen);
}

TEST(Callers, a_thread_is_one_of_its_process_and_who_is_gone_of_none) {
  pid_t thread = 0;
  std::optional<pid_t> process;
  Thread("other", [&](const std::stop_token&) {
    thread = ::gettid();
    process = Callers("/proc").process_of(thread);
  }).join();
  EXPECT_NE(thread, ::getpid());
  EXPECT_EQ(process, ::getpid());
  EXPECT_EQ(Callers("/proc").process_of(0), std::nullopt);
  EXPECT_EQ(Callers("/nowhere").process_of(::getpid()), std::nullopt);
}

// Who is not dumpable has a directory of root's.
TEST(Callers, a_thread_is_of_the_user_whom_files_see_also_if_it_hides) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root becomes somebody else";
  for (const int dumpable : {1, 0}) {
    const Child child([dumpable] {
      if (::setresuid(1201, 1202, 1203) != 0) ::_exit(1);
      ::prctl(PR_SET_DUMPABLE, dumpable);
    });
    EXPECT_EQ(Callers("/proc").user_of(child.pid()), 1202U) << dumpable;
  }
}

TEST(Callers, nobody_can_say_whose_an_unseen_thread_is) {
  EXPECT_EQ(Callers("/proc").user_of(::getpid()), ::geteuid());
  EXPECT_EQ(Callers("/proc").user_of(0), std::nullopt);
  EXPECT_EQ(Callers("/nowhere").user_of(::getpid()), std::nullopt);
}

}  // namespace
}  // namespace cairn
