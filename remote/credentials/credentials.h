// Who we are to an S3-style endpoint.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/request_context.h"
#include "base/result.h"

namespace cairn {

// Never printed: no formatter, and no error message holds any of it.
struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;     // empty: long-lived credentials
  std::optional<Nanos> expires;  // wall time

  bool operator==(const Credentials&) const = default;
};

// Thread-safety: all methods may be called from any thread.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;

  // Credentials that have not expired; cheap unless they must be fetched anew. `stale`: what the endpoint has just
  // refused as expired, if it did; anything newer is an answer. Failures: permission_denied (there are none, and where
  // was looked; or the source still holds what is stale; or it refuses us), unavailable, corrupt (the source's answer
  // is garbage), deadline_exceeded, cancelled, invalid_argument (a file or variable that is malformed, or asks for
  // something that this build does not do; the message names file, profile and the way out).
  virtual Result<Credentials> credentials(const RequestContext& context, const Credentials* stale) = 0;
};

}  // namespace cairn
