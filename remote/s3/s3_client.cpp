#include "remote/s3/s3_client.h"

#include "base/ascii.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mutex.h"
#include "remote/http/percent_encoding.h"
#include "remote/s3/content_md5.h"

namespace cairn {

namespace {

constexpr int kMostCorrections = 4;  // one of each kind; an endpoint that asks for more goes round in circles

bool is_about_region(int status, const S3Complaint& complaint) {
  return status == 301 || status == 307 || complaint.code == "AuthorizationHeaderMalformed" ||
         complaint.code == "IllegalLocationConstraintException" || (status == 400 && complaint.code.empty());
}

// AWS: "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters".
bool is_about_md5(const S3Complaint& complaint) {
  return complaint.code == "MissingContentMD5" ||
         (complaint.code == "InvalidRequest" && complaint.message.find("Content-MD5") != std::string::npos);
}

bool is_about_age(const S3Complaint& complaint) {
  return complaint.code == "ExpiredToken" || complaint.code == "TokenRefreshRequired" ||
         complaint.code == "ExpiredTokenException";
}

}  // namespace

S3Client::S3Client(Options options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), aim_{options_.location.region, options_.location.host, {}} {}

S3Client::Aim S3Client::aim() const {
  const MutexLock lock(mutex_);
  return aim_;
}

Result<Credentials> S3Client::fetch_credentials(const RequestContext& context, const Credentials* stale) {
  if (options_.credentials == nullptr) return Credentials{};
  return options_.credentials->credentials(context, stale);
}

HttpRequest S3Client::aimed(const S3Request& request, const Aim& aim, const Credentials& credentials) const {
  const S3Location& location = options_.location;
  RequestToSign to_sign;
  to_sign.method = request.method;
  to_sign.host = location.host_at(aim.host);
  to_sign.path = location.path_of(request.key);
  to_sign.query = request.query;
  to_sign.headers = request.headers;
  for (HttpHeader& header : location.terms.request_headers()) to_sign.headers.push_back(std::move(header));
  if (aim.wants_md5 && request.method == "PUT") to_sign.headers.push_back({"Content-MD5", content_md5(request.body)});

  HttpRequest http;
  http.method = request.method;
  http.body = request.body;
  http.max_answer_bytes = request.max_answer_bytes;
  http.skew = request.skew;
  http.no_proxy = location.is_local();  // a proxy's "localhost" is another machine
  const std::string query = canonical_query(request.query);
  http.url = fmt::format("{}://{}{}{}{}", location.scheme, to_sign.host, percent_encode(to_sign.path, true),
                         query.empty() ? "" : "?", query);
  if (options_.credentials == nullptr) {
    http.headers = std::move(to_sign.headers);
  } else {
    to_sign.payload_sha256 = sha256(request.body).hex();
    const Nanos now = clock_.wall_now() + aim.clock_skew.count();
    http.headers = sign(std::move(to_sign), {.region = aim.region}, credentials, now);
  }
  return http;
}

Result<HttpAnswer> S3Client::ask(const S3Request& request, const RequestContext& context) {
  std::optional<Credentials> stale;
  for (int corrections = 0;; ++corrections) {
    auto credentials = fetch_credentials(context, stale ? &*stale : nullptr);
    if (!credentials) return fail(std::move(credentials).error());
    const Aim used = aim();
    auto answer = options_.transport->send(aimed(request, used, *credentials), context);
    if (!answer || answer->is_success() || corrections == kMostCorrections) return answer;
    const S3Complaint complaint = parse_complaint(*answer);
    if (is_about_age(complaint) && !stale) {
      stale = std::move(*credentials);
    } else if (!correct_aim(used, *answer, complaint)) {
      return answer;
    }
  }
}

bool S3Client::correct_aim(const Aim& used, const HttpAnswer& answer, const S3Complaint& complaint) {
  Aim better = used;
  bool corrected = false;
  if (is_about_md5(complaint)) {
    better.wants_md5 = corrected = !used.wants_md5;
  } else if (is_about_region(answer.status, complaint)) {
    corrected = correct_region(complaint, better);
  } else if (complaint.code == "RequestTimeTooSkewed") {
    corrected = correct_clock(answer, better);
  }
  if (!corrected) return false;
  const MutexLock lock(mutex_);
  aim_ = better;
  return true;
}

bool S3Client::correct_region(const S3Complaint& complaint, Aim& aim) const {
  if (!options_.location.access_point.empty()) return false;  // it is where its ARN says, or nowhere
  if (!is_host_label(complaint.region) || complaint.region == aim.region) return false;
  log::info("s3: the bucket is in region {}, not {}", complaint.region, aim.region);
  // AWS has a host for each region; other endpoints sign for a region but have one host.
  const size_t in_host = aim.host.find("." + aim.region + ".amazonaws.com");
  if (in_host != std::string::npos) aim.host.replace(in_host + 1, aim.region.size(), complaint.region);
  aim.region = complaint.region;
  return true;
}

bool S3Client::correct_clock(const HttpAnswer& answer, Aim& aim) const {
  constexpr std::chrono::seconds kWorthCorrecting{60};
  const auto date = answer.header("date");
  const auto theirs = date ? parse_http_date(*date) : std::nullopt;
  if (!theirs) return false;
  const std::chrono::nanoseconds skew(*theirs - clock_.wall_now());
  if (std::chrono::abs(skew - aim.clock_skew) < kWorthCorrecting) return false;
  log::warning("s3: this host's clock is {} s off the endpoint's; requests are signed with the endpoint's time",
               -std::chrono::duration_cast<std::chrono::seconds>(skew).count());
  aim.clock_skew = skew;
  return true;
}

}  // namespace cairn
