#include "remote/credentials/command_line.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "base/unique_fd.h"

namespace cairn {

namespace {

// How soon a stop is noticed: a poll cannot wait for a stop_token.
constexpr std::chrono::milliseconds kLongestPoll{20};
// Of what has been killed.
constexpr std::chrono::milliseconds kLongestDeath{1000};

// The attributes of a child: a process group of its own, and no signal blocked or ignored.
class SpawnSettings {
 public:
  explicit SpawnSettings(int output) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }

  [[nodiscard]] const posix_spawn_file_actions_t* actions() const { return &actions_; }
  [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// A child and what it prints. Killed with its group, and waited for, unless it has ended before.
class Child {
 public:
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    pollfd ended{ended_.get(), POLLIN, 0};
    ::poll(&ended, 1, static_cast<int>(kLongestDeath.count()));
    ::waitpid(pid_, nullptr, WNOHANG);  // one that the kernel holds stays behind
  }

  Result<void> start(const std::vector<std::string>& words) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(error_from_errno(errno, "make a pipe"));
    output_.reset(ends[0]);
    const UniqueFd input(ends[1]);
    if (::fcntl(output_.get(), F_SETFL, O_NONBLOCK) != 0) return fail(error_from_errno(errno, "make a pipe"));
    std::vector<std::string> copies = words;
    std::vector<char*> arguments;
    arguments.reserve(copies.size() + 1);
    for (std::string& word : copies) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const SpawnSettings settings(input.get());
    pid_t pid = 0;
    const int failed =
        ::posix_spawnp(&pid, arguments[0], settings.actions(), settings.attributes(), arguments.data(), environ);
    if (failed == ENOMEM || failed == EAGAIN) return fail(error_from_errno(failed, "start a process"));
    if (failed != 0) return fail(Errc::invalid_argument, "it cannot be run: {}", std::strerror(failed));
    pid_ = pid;
    ended_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!ended_.valid()) return fail(error_from_errno(errno, "watch a process"));
    return {};
  }

  // Waits a little for more output or the end. Whether it has ended.
  bool wait(std::chrono::milliseconds longest) {
    std::array<pollfd, 2> polled = {{{output_.get(), POLLIN, 0}, {ended_.get(), POLLIN, 0}}};
    ::poll(polled.data(), polled.size(), static_cast<int>(longest.count()));
    return polled[1].revents != 0;
  }

  // Adds to `text` what can be read now, up to `most_bytes` in all. The pipe's other end may be held by something that
  // the child left behind, so that its end need not come.
  void read_into(std::string& text, size_t most_bytes) {
    while (output_.valid() && text.size() < most_bytes) {
      std::array<char, 4096> bytes{};
      const ssize_t got = ::read(output_.get(), bytes.data(), std::min(bytes.size(), most_bytes - text.size()));
      if (got < 0 && errno == EINTR) continue;
      if (got == 0) output_.reset();
      if (got <= 0) return;
      text.append(bytes.data(), static_cast<size_t>(got));
    }
  }

  // Of one that has ended: its status, as waitpid gives it.
  int reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_ = 0;
  UniqueFd output_;  // the reading end of its stdout
  UniqueFd ended_;   // readable once it has ended
};

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Reads words off a command line.
class WordSplitter {
 public:
  explicit WordSplitter(std::string_view line) : rest_(line) {}

  bool skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    return !rest_.empty();
  }

  // nullopt: a quote or backslash without what must follow.
  std::optional<std::string> next() {
    std::string word;
    char quote = '\0';
    while (!rest_.empty() && (quote != '\0' || !is_blank(rest_.front()))) {
      const char c = take();
      if (c == quote) {
        quote = '\0';
      } else if (quote == '\0' && (c == '\'' || c == '"')) {
        quote = c;
      } else if (c == '\\' && quote != '\'') {
        if (rest_.empty()) return std::nullopt;
        const char kept = take();
        if (quote == '"' && kept != '"' && kept != '\\') word += c;
        word += kept;
      } else {
        word += c;
      }
    }
    if (quote != '\0') return std::nullopt;
    return word;
  }

 private:
  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  std::string_view rest_;
};

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view line) {
  std::vector<std::string> words;
  WordSplitter splitter(line);
  while (splitter.skip_blanks()) {
    auto word = splitter.next();
    if (!word) return fail(Errc::invalid_argument, "a quote or backslash without what must follow it");
    words.push_back(std::move(*word));
  }
  if (words.empty() || words.front().empty()) return fail(Errc::invalid_argument, "no program is named");
  return words;
}

Result<std::string> run_command(const std::vector<std::string>& words, size_t most_bytes,
                                std::chrono::milliseconds timeout, const RequestContext& context) {
  const RequestContext bounded = context.no_longer_than(timeout);
  Child child;
  if (auto started = child.start(words); !started) return fail(std::move(started).error());
  std::string text;
  for (bool ended = false; !ended;) {
    if (auto live = bounded.check(); !live) {
      const bool timed_out = live.error().code() == Errc::deadline_exceeded && context.remaining().count() > 0;
      if (!timed_out) return fail(std::move(live).error());
      return fail(Errc::unavailable, "it did not end within {} s", std::chrono::duration<double>(timeout).count());
    }
    ended = child.wait(kLongestPoll);
    child.read_into(text, most_bytes + 1);
    if (text.size() > most_bytes) return fail(Errc::corrupt, "it prints more than {} bytes", most_bytes);
  }
  const int status = child.reap();
  if (WIFSIGNALED(status)) return fail(Errc::permission_denied, "signal {} ended it", WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return fail(Errc::permission_denied, "it failed with status {}", WEXITSTATUS(status));
  return text;
}

}  // namespace cairn
