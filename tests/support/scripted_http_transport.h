// HTTP without a network: what is answered stands in a script, and what was asked is kept.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "remote/http/http_transport.h"

namespace cairn {

// Nobody listens at what the script does not name: `unavailable`, as from a network.
// Thread-safety: all methods may be called from any thread; an Answer runs without locks, on the asking thread.
class ScriptedHttpTransport final : public HttpTransport {
 public:
  using Answer = std::function<Result<HttpAnswer>(const HttpRequest& request, const RequestContext& context)>;

  // What was asked. `body` is a copy; `patience` is what the context had left.
  struct Asked {
    std::string method;
    std::string url;
    std::vector<HttpHeader> headers;
    std::string body;
    std::chrono::nanoseconds patience;

    // The header's value; "" if it was not sent.
    [[nodiscard]] std::string header(const std::string& name) const;
  };

  // From now on, `method` of `url` is answered so.
  void on(const std::string& method, const std::string& url, Answer answer);
  void on(const std::string& method, const std::string& url, int status, const std::string& body);
  void on(const std::string& method, const std::string& url, const Error& error);
  // And so whatever is not named above.
  void on_anything(Answer answer);

  Result<HttpAnswer> send(const HttpRequest& request, const RequestContext& context) override;

  [[nodiscard]] std::vector<Asked> asked() const;
  [[nodiscard]] size_t times_asked(const std::string& method, const std::string& url) const;

 private:
  mutable Mutex mutex_;
  std::map<std::pair<std::string, std::string>, Answer> script_ CAIRN_GUARDED_BY(mutex_);  // by method and URL
  Answer anything_ CAIRN_GUARDED_BY(mutex_);
  std::vector<Asked> asked_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
