// One S3 request, signed and sent to where the bucket is.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "remote/credentials/credentials.h"
#include "remote/credentials/sigv4.h"
#include "remote/http/http_transport.h"
#include "remote/s3/s3_answer.h"
#include "remote/s3/s3_location.h"

namespace cairn {

// An operation on one object, or on the bucket if `key` is empty, before it is signed.
struct S3Request {
  std::string method;
  std::string key{};  // with the store's prefix
  QueryParameters query{};
  std::vector<HttpHeader> headers{};
  ByteView body{};
  uint64_t max_answer_bytes = 16 << 20;
  std::optional<uint16_t> skew{};
};

// A request is sent again at once, and no more than a few times, where the answer says how it should have been sent: to
// another region, with another time, with newer credentials, with the MD5 of what is put. Such an answer was given
// before the request did anything.
//
// Thread-safety: all methods may be called from any thread.
// Ownership: owns its transport and credentials; `clock` is borrowed and outlives this object.
class S3Client {
 public:
  struct Options {
    S3Location location;
    std::unique_ptr<HttpTransport> transport;
    std::unique_ptr<CredentialsProvider> credentials;  // may borrow the transport; null: requests are not signed
  };
  S3Client(Options options, const Clock& clock);

  // The answer, whatever its status. Failures: those of the transport and of the credentials.
  Result<HttpAnswer> ask(const S3Request& request, const RequestContext& context);

  [[nodiscard]] const S3Location& location() const { return options_.location; }

 private:
  // Where and how requests go; learned from answers.
  struct Aim {
    std::string region;
    std::string host;
    std::chrono::nanoseconds clock_skew{0};  // the endpoint's time - ours
    bool wants_md5 = false;                  // of what is put: a bucket with object lock does
  };

  Result<Credentials> fetch_credentials(const RequestContext& context, const Credentials* stale);
  [[nodiscard]] Aim aim() const;
  [[nodiscard]] HttpRequest aimed(const S3Request& request, const Aim& aim, const Credentials& credentials) const;
  // Learns from the answer to a request that was sent with `used`. Whether another attempt is better aimed.
  bool correct_aim(const Aim& used, const HttpAnswer& answer, const S3Complaint& complaint);
  bool correct_region(const S3Complaint& complaint, Aim& aim) const;
  bool correct_clock(const HttpAnswer& answer, Aim& aim) const;

  const Options options_;
  const Clock& clock_;
  mutable Mutex mutex_;
  Aim aim_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
