#include "daemon/background.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/unique_fd.h"
#include "daemon/line_socket.h"

namespace cairn {

namespace {

using Json = nlohmann::json;

// The kinds of line that the child says.
constexpr std::string_view kNotice = "notice";
constexpr std::string_view kLog = "log";
constexpr std::string_view kReady = "ready";
constexpr std::string_view kError = "error";

constexpr std::chrono::seconds kTellTimeout{5};

void redirect(int fd, const std::string& path, int flags) {
  const UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (file.valid()) ::dup2(file.get(), fd);
}

}  // namespace

BackgroundChild::BackgroundChild(std::unique_ptr<LineSocket> parent) : parent_(std::move(parent)) {}
BackgroundChild::~BackgroundChild() = default;

// False: the parent is gone.
bool BackgroundChild::tell(std::string_view kind, std::string_view text) {
  const Json line = {{"kind", kind}, {"text", text}};
  return parent_
      ->write_line(line.dump(-1, ' ', false, Json::error_handler_t::replace), RequestContext::within(kTellTimeout))
      .has_value();
}

void BackgroundChild::notice(std::string_view text) { tell(kNotice, text); }

void BackgroundChild::log_to(const std::string& path) {
  tell(kLog, path);
  redirect(STDOUT_FILENO, path, O_WRONLY | O_CREAT | O_APPEND);
  ::dup2(STDOUT_FILENO, STDERR_FILENO);
}

void BackgroundChild::ready(std::string_view words) {
  if (::chdir("/") != 0) log::warning("chdir / failed");
  if (tell(kReady, words)) return;
  log::warning("whoever started this daemon has given up on it");
  ::kill(::getpid(), SIGTERM);
}

void BackgroundChild::fail_with(const Error& error) {
  const Json line = {{"kind", kError}, {"text", error.message()}, {"code", static_cast<int>(error.code())}};
  (void)parent_->write_line(line.dump(-1, ' ', false, Json::error_handler_t::replace),
                            RequestContext::within(kTellTimeout));
}

// The two ends of the conversation.
class BackgroundStart {
 public:
  [[noreturn]] static void run_child(UniqueFd parent, const BackgroundWork& work) {
    ::setsid();
    redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
    BackgroundChild child(std::make_unique<LineSocket>(std::move(parent)));
    const Result<void> done = work(child);
    if (!done) child.fail_with(done.error());
    std::exit(done ? 0 : 1);
  }

  BackgroundStart(pid_t child, UniqueFd from_child, const std::function<void(const std::string&)>& on_notice)
      : child_(child), from_child_(std::move(from_child)), on_notice_(on_notice) {}

  Result<BackgroundProcess> wait(const RequestContext& context) {
    while (true) {
      const Result<std::string> line = from_child_.read_line(context);
      if (!line) return fail(give_up(line.error()));
      const Json said = Json::parse(*line, nullptr, false);
      if (!said.is_object()) return fail(give_up(Error(Errc::io, "the daemon speaks another language")));
      const std::string kind = said.value("kind", "");
      const std::string text = said.value("text", "");
      if (kind == kReady) return BackgroundProcess{child_, text};
      if (kind == kNotice) on_notice_(text);
      if (kind == kLog) log_file_ = text;
      if (kind == kError) {
        ::waitpid(child_, nullptr, 0);
        return fail(Error(static_cast<Errc>(said.value("code", static_cast<int>(Errc::io))), text));
      }
    }
  }

 private:
  Error give_up(const Error& error) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    const std::string hint = log_file_.empty() ? "" : "; " + log_file_ + " may say why";
    if (error.code() == Errc::deadline_exceeded) return {error.code(), "the daemon does not get ready" + hint};
    return {Errc::io, "the daemon died while it started" + hint};
  }

  const pid_t child_;
  LineSocket from_child_;
  const std::function<void(const std::string&)>& on_notice_;
  std::string log_file_;
};

Result<BackgroundProcess> start_in_background(const BackgroundWork& work,
                                              const std::function<void(const std::string&)>& on_notice,
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
    BackgroundStart::run_child(std::move(child_end), work);
  }
  child_end.reset();
  return BackgroundStart(child, std::move(parent_end), on_notice).wait(RequestContext::within(timeout));
}

}  // namespace cairn
