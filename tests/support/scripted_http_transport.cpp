#include "tests/support/scripted_http_transport.h"

#include <algorithm>

#include "base/mutex.h"

namespace cairn {

std::string ScriptedHttpTransport::Asked::header(const std::string& name) const {
  const auto found = std::ranges::find(headers, name, &HttpHeader::name);
  return found == headers.end() ? "" : found->value;
}

void ScriptedHttpTransport::on(const std::string& method, const std::string& url, Answer answer) {
  const MutexLock lock(mutex_);
  script_[{method, url}] = std::move(answer);
}

void ScriptedHttpTransport::on(const std::string& method, const std::string& url, int status, const std::string& body) {
  on(method, url, [status, body](const HttpRequest& request, const RequestContext&) -> Result<HttpAnswer> {
    if (body.size() > request.max_answer_bytes) return fail(Errc::corrupt, "a longer answer than was asked for");
    return HttpAnswer{status, {}, Buffer::copy_of(as_bytes(body))};
  });
}

void ScriptedHttpTransport::on(const std::string& method, const std::string& url, const Error& error) {
  on(method, url, [error](const HttpRequest&, const RequestContext&) -> Result<HttpAnswer> { return fail(error); });
}

void ScriptedHttpTransport::on_anything(Answer answer) {
  const MutexLock lock(mutex_);
  anything_ = std::move(answer);
}

Result<HttpAnswer> ScriptedHttpTransport::send(const HttpRequest& request, const RequestContext& context) {
  if (auto live = context.check(); !live) return fail(std::move(live).error());
  Answer answer;
  {
    const MutexLock lock(mutex_);
    asked_.push_back(
        {request.method, request.url, request.headers, std::string(as_text(request.body)), context.remaining()});
    const auto found = script_.find({request.method, request.url});
    answer = found != script_.end() ? found->second : anything_;
  }
  if (!answer) return fail(Errc::unavailable, "{} {}: nobody listens there", request.method, request.url);
  return answer(request, context);
}

std::vector<ScriptedHttpTransport::Asked> ScriptedHttpTransport::asked() const {
  const MutexLock lock(mutex_);
  return asked_;
}

size_t ScriptedHttpTransport::times_asked(const std::string& method, const std::string& url) const {
  const MutexLock lock(mutex_);
  return static_cast<size_t>(
      std::ranges::count_if(asked_, [&](const Asked& asked) { return asked.method == method && asked.url == url; }));
}

}  // namespace cairn
