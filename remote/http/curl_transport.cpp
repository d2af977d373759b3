#include "remote/http/curl_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/ascii.h"
#include "base/check.h"
#include "base/mutex.h"
#include "base/units.h"

namespace cairn {

namespace {

constexpr size_t kMaxHeaderBytes = 256 << 10;
constexpr int64_t kReceiveBufferBytes = 512 << 10;  // the most that curl takes; larger reads, fewer system calls
constexpr int64_t kSendBufferBytes = 1 << 20;
constexpr std::chrono::milliseconds kLongestPoll{1000};

struct EasyCleaner {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiCleaner {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ShareCleaner {
  void operator()(CURLSH* share) const { curl_share_cleanup(share); }
};
struct ListCleaner {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListCleaner>;

// What is shared by all sessions, so that a new connection need neither ask for the name nor shake hands anew.
class Shared {
 public:
  Shared() {
    static std::once_flag once;
    std::call_once(once, [] { check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "curl starts"); });
    share_.reset(curl_share_init());
    check(share_ != nullptr, "curl has memory for a share");
    curl_share_setopt(share_.get(), CURLSHOPT_LOCKFUNC, &lock);
    curl_share_setopt(share_.get(), CURLSHOPT_UNLOCKFUNC, &unlock);
    curl_share_setopt(share_.get(), CURLSHOPT_USERDATA, this);
    curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  }
  [[nodiscard]] CURLSH* get() const { return share_.get(); }

 private:
  static void lock(CURL* /*easy*/, curl_lock_data data, curl_lock_access /*access*/,
                   void* self) CAIRN_NO_THREAD_SAFETY_ANALYSIS {  // curl calls the two in pairs
    static_cast<Shared*>(self)->mutexes_[data].lock();
  }
  static void unlock(CURL* /*easy*/, curl_lock_data data, void* self) CAIRN_NO_THREAD_SAFETY_ANALYSIS {
    static_cast<Shared*>(self)->mutexes_[data].unlock();
  }

  std::array<Mutex, CURL_LOCK_DATA_LAST> mutexes_;
  std::unique_ptr<CURLSH, ShareCleaner> share_;  // after mutexes_: its end takes them
};

// One request under way: what curl's callbacks read and fill.
struct Exchange {
  const HttpRequest& request;
  CURL* easy;
  HttpAnswer answer{};
  size_t sent_bytes = 0;
  size_t received_bytes = 0;
  size_t header_bytes = 0;
  std::optional<Error> refused{};  // why a callback of ours stopped the transfer

  size_t refuse(Error why) {
    refused = std::move(why);
    return 0;
  }
};

size_t take_header(const char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view line(data, size * count);
  exchange.header_bytes += line.size();
  if (exchange.header_bytes > kMaxHeaderBytes) {
    return exchange.refuse({Errc::unavailable, fmt::format("more than {} of headers", human_bytes(kMaxHeaderBytes))});
  }
  if (line.starts_with("HTTP/")) exchange.answer.headers.clear();  // what came before was a "100 Continue"
  const size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    exchange.answer.headers.push_back(
        {lower_case(trimmed(line.substr(0, colon))), std::string(trimmed(line.substr(colon + 1)))});
  }
  return line.size();
}

// Room for `bytes` more of the body: the announced length at once, else by doubling.
bool make_room(Exchange& exchange, size_t bytes) {
  const size_t needed = exchange.received_bytes + bytes;
  Buffer& body = exchange.answer.body;
  if (needed <= body.size()) return true;
  curl_off_t announced = -1;
  curl_easy_getinfo(exchange.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
  const uint64_t expected = std::max<uint64_t>(needed, announced > 0 ? static_cast<uint64_t>(announced) : 0);
  if (expected > exchange.request.max_answer_bytes) {
    exchange.refuse({Errc::corrupt, fmt::format("an answer of {} where at most {} can be right", human_bytes(expected),
                                                human_bytes(exchange.request.max_answer_bytes))});
    return false;
  }
  const uint64_t room = announced >= 0 ? expected : std::max<uint64_t>(needed, body.size() * 2);
  Buffer larger = exchange.request.skew ? Buffer::placed(room, *exchange.request.skew) : Buffer(room);
  if (exchange.received_bytes > 0) std::memcpy(larger.data(), body.data(), exchange.received_bytes);
  body = std::move(larger);
  return true;
}

size_t take_body(const char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const size_t bytes = size * count;
  if (!make_room(exchange, bytes)) return 0;
  std::memcpy(exchange.answer.body.data() + exchange.received_bytes, data, bytes);
  exchange.received_bytes += bytes;
  return bytes;
}

size_t give_body(char* to, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const ByteView rest = exchange.request.body.subspan(exchange.sent_bytes);
  const size_t bytes = std::min(size * count, rest.size());
  if (bytes > 0) std::memcpy(to, rest.data(), bytes);
  exchange.sent_bytes += bytes;
  return bytes;
}

HeaderList header_list(const HttpRequest& request) {
  HeaderList list;
  const auto append = [&list](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    check(longer != nullptr, "curl has memory for a header");
    (void)list.release();
    list.reset(longer);
  };
  for (const HttpHeader& header : request.headers) append(header.name + ": " + header.value);
  append("Expect:");  // curl would wait up to a second for a "100 Continue" before each large body
  return list;
}

Errc code_of(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_UNSUPPORTED_PROTOCOL: return Errc::invalid_argument;
    case CURLE_PEER_FAILED_VERIFICATION: return Errc::permission_denied;
    default: return Errc::unavailable;
  }
}

}  // namespace

// A connection at most, and what drives it. One caller at a time.
class CurlTransport::Session {
 public:
  Session(const CurlTransport::Options& options, CURLSH* share)
      : options_(options), share_(share), multi_(curl_multi_init()), easy_(curl_easy_init()) {
    check(multi_ && easy_, "curl has memory for a session");
  }

  Result<HttpAnswer> send(const HttpRequest& request, const RequestContext& context) {
    Exchange exchange{.request = request, .easy = easy_.get()};
    const HeaderList headers = header_list(request);
    prepare(exchange, headers.get());
    const Result<CURLcode> ended = drive(context);
    if (!ended) return fail(ended.error());
    if (exchange.refused) return fail(*exchange.refused);
    if (*ended != CURLE_OK) return fail(explain(*ended));
    long status = 0;  // NOLINT: curl's type
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    exchange.answer.status = static_cast<int>(status);
    exchange.answer.body.shrink_to(exchange.received_bytes);
    return std::move(exchange.answer);
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    check(curl_easy_setopt(easy_.get(), option, value) == CURLE_OK, "this curl knows the option");
  }

  void prepare(Exchange& exchange, curl_slist* headers) {
    const HttpRequest& request = exchange.request;
    curl_easy_reset(easy_.get());
    error_text_[0] = '\0';
    set(CURLOPT_ERRORBUFFER, error_text_.data());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);  // a name server that keeps silent holds nobody past the deadline
    set(CURLOPT_SHARE, share_);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);  // what was signed is what is sent
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_HEADERFUNCTION, &take_header);
    set(CURLOPT_HEADERDATA, &exchange);
    set(CURLOPT_WRITEFUNCTION, &take_body);
    set(CURLOPT_WRITEDATA, &exchange);
    set(CURLOPT_BUFFERSIZE, static_cast<long>(kReceiveBufferBytes));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(options_.stall_bytes_per_second));
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stall_timeout.count()));
    if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
    if (request.no_proxy) set(CURLOPT_NOPROXY, "*");
    prepare_method(exchange);
  }

  // A body comes from a callback that cannot be rewound. Over a reused connection that the server has just closed, curl
  // would otherwise send a request again by itself, and the caller of a conditional PUT could not know that the 412 of
  // the second time speaks of the first. An empty body would not need rewinding: it goes over a new connection.
  void prepare_method(Exchange& exchange) {
    const HttpRequest& request = exchange.request;
    if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (request.method == "PUT" || request.method == "POST") {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_READFUNCTION, &give_body);
      set(CURLOPT_READDATA, &exchange);
      set(CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(kSendBufferBytes));
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_FRESH_CONNECT, request.body.empty() ? 1L : 0L);
    }
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  // Runs the prepared transfer to its end, or until the context's.
  Result<CURLcode> drive(const RequestContext& context) {
    CURLM* multi = multi_.get();
    const std::stop_callback wake(context.stop, [multi] { curl_multi_wakeup(multi); });
    check(curl_multi_add_handle(multi, easy_.get()) == CURLM_OK, "an idle session takes a transfer");
    Result<CURLcode> ended = run(context);
    curl_multi_remove_handle(multi, easy_.get());  // closes the connection of a transfer that did not end
    return ended;
  }

  Result<CURLcode> run(const RequestContext& context) {
    while (true) {
      if (auto live = context.check(); !live) return fail(std::move(live).error());
      int running = 0;
      if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) return CURLE_OUT_OF_MEMORY;
      int left = 0;
      const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
      if (message != nullptr && message->msg == CURLMSG_DONE) return message->data.result;
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(context.remaining());
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(std::min(wait, kLongestPoll).count()), nullptr);
    }
  }

  [[nodiscard]] Error explain(CURLcode code) const {
    const std::string_view detail(error_text_.data());
    std::string message(detail.empty() ? std::string_view(curl_easy_strerror(code)) : detail);
    if (code == CURLE_UNSUPPORTED_PROTOCOL && detail.find("HTTP/0.9") != std::string_view::npos) {
      return {Errc::unavailable, "the answer is not HTTP"};
    }
    long os_errno = 0;  // NOLINT: curl's type
    curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &os_errno);
    if (code == CURLE_COULDNT_CONNECT && os_errno != 0) {
      message += fmt::format(" ({})", std::strerror(static_cast<int>(os_errno)));
    }
    if (detail.find("wrong version number") != std::string_view::npos) message += " (no TLS there: http://?)";
    if (code == CURLE_SEND_FAIL_REWIND) message = "the connection was lost while the request was sent";
    if (code == CURLE_PEER_FAILED_VERIFICATION) message += " (a certificate authority of your own: ca=FILE)";
    return {code_of(code), std::move(message)};
  }

  const CurlTransport::Options& options_;
  CURLSH* const share_;
  std::unique_ptr<CURLM, MultiCleaner> multi_;
  std::unique_ptr<CURL, EasyCleaner> easy_;  // after multi_: goes first
  std::array<char, CURL_ERROR_SIZE> error_text_{};
};

class CurlTransport::Sessions {
 public:
  explicit Sessions(const Options& options) : options_(options) {}

  std::unique_ptr<Session> take() {
    {
      const MutexLock lock(mutex_);
      if (!resting_.empty()) {
        std::unique_ptr<Session> warmest = std::move(resting_.back());
        resting_.pop_back();
        return warmest;
      }
    }
    return std::make_unique<Session>(options_, shared_.get());
  }

  void rest(std::unique_ptr<Session> session) {
    const MutexLock lock(mutex_);
    resting_.push_back(std::move(session));
  }

 private:
  const Options& options_;
  const Shared shared_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Session>> resting_ CAIRN_GUARDED_BY(mutex_);  // after shared_: they go first
};

CurlTransport::CurlTransport(Options options)
    : options_(std::move(options)), sessions_(std::make_unique<Sessions>(options_)) {}

CurlTransport::~CurlTransport() = default;

Result<HttpAnswer> CurlTransport::send(const HttpRequest& request, const RequestContext& context) {
  if (auto live = context.check(); !live) return fail(std::move(live).error());
  std::unique_ptr<Session> session = sessions_->take();
  auto answer = session->send(request, context);
  // After a name that was not found, curl 7.88 keeps its buffer and refuses to be given another: a failed session ends.
  if (answer) sessions_->rest(std::move(session));
  return answer;
}

}  // namespace cairn
