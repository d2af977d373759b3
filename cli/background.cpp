#include "cli/background.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/log.h"
#include "base/unique_fd.h"
#include "cli/line_socket.h"

namespace cairn {

namespace {

constexpr const char* kReady = "ready";

void redirect(int fd, const std::string& path, int flags) {
  const UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (file.valid()) ::dup2(file.get(), fd);
}

void detach_from_terminal(const std::string& output) {
  ::setsid();
  redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
  redirect(STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_APPEND);
  ::dup2(STDOUT_FILENO, STDERR_FILENO);
}

// One line for the parent; newlines inside would end it early. False: the parent is gone.
bool tell_parent(LineSocket& parent, std::string line) {
  for (char& letter : line) letter = letter == '\n' ? ' ' : letter;
  return parent.write_line(line, RequestContext::within(std::chrono::seconds(5))).has_value();
}

[[noreturn]] void run_child(LineSocket parent, const BackgroundWork& work, const std::string& output) {
  detach_from_terminal(output);
  const auto ready = [&parent] {
    // Only now: until here relative paths are the caller's.
    if (::chdir("/") != 0) log::warning("chdir / failed");
    if (tell_parent(parent, kReady)) return;
    log::warning("whoever started this daemon has given up on it");
    ::kill(::getpid(), SIGTERM);
  };
  const Result<void> done = work(ready);
  if (!done) {
    log::error("{}", done.error().to_string());
    tell_parent(parent, done.error().message());
  }
  std::exit(done ? 0 : 1);
}

void end_child(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace

Result<pid_t> start_in_background(const BackgroundWork& work, const std::string& output,
                                  std::chrono::nanoseconds timeout) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(error_from_errno(errno, "socketpair"));
  }
  UniqueFd parent_end(ends[0]);
  UniqueFd child_end(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return fail(error_from_errno(errno, "fork"));
  if (child == 0) {
    parent_end.reset();
    run_child(LineSocket(std::move(child_end)), work, output);
  }
  child_end.reset();
  LineSocket from_child(std::move(parent_end));
  const Result<std::string> line = from_child.read_line(RequestContext::within(timeout));
  if (line && *line == kReady) return child;
  if (line) {
    ::waitpid(child, nullptr, 0);
    return fail(Errc::io, "{}", *line);
  }
  end_child(child);
  if (line.error().code() == Errc::deadline_exceeded) return fail(line.error());
  return fail(Errc::io, "the daemon died while it started; {} may say why", output);
}

}  // namespace cairn
