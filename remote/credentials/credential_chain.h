// Where credentials come from: the usual chain of sources.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/wait.h"
#include "remote/credentials/credential_environment.h"
#include "remote/credentials/credentials.h"
#include "remote/http/http_transport.h"

namespace cairn {

// The usual chain, in the order of the AWS SDKs: AWS_ACCESS_KEY_ID and its companions; web identity
// (AWS_WEB_IDENTITY_TOKEN_FILE, as EKS sets it); the profile (AWS_PROFILE or `profile` of the settings) of the shared
// credentials and config files; the container's endpoint (AWS_CONTAINER_CREDENTIALS_*); the instance's (IMDSv2, unless
// AWS_EC2_METADATA_DISABLED). The first link that is set up answers; if it fails, so does the chain. Every fetch walks
// the chain from its start and reads all files again, so that rotated keys are found.
//
// Temporary credentials are fetched anew five minutes before they expire, by one caller while the others go on with
// what they have. If that fails, they are used to their end: one warning is logged, and it is tried again every 30
// seconds. When there is nothing to go on with, one caller fetches and the others wait for its outcome, each no longer
// than its own context allows. Source: "Credential providers" of the AWS SDKs and Tools Reference Guide.
//
// Ownership: `transport` and `clock` are borrowed and outlive this object.
class CredentialChain final : public CredentialsProvider {
 public:
  CredentialChain(CredentialSettings settings, HttpTransport& transport, const Clock& clock);
  ~CredentialChain() override;

  Result<Credentials> credentials(const RequestContext& context, const Credentials* stale) override;

  // "profile 'training' of /root/.aws/credentials": what the log says; empty before the first success.
  [[nodiscard]] std::string source() const;

 private:
  struct Fetch;

  [[nodiscard]] bool is_valid_locked() const CAIRN_REQUIRES(mutex_);
  [[nodiscard]] bool wants_refresh_locked() const CAIRN_REQUIRES(mutex_);
  // Fetches for everybody; gives `lock` back meanwhile, which the analysis does not see.
  std::shared_ptr<Fetch> lead(MutexLock& lock, const RequestContext& context) CAIRN_NO_THREAD_SAFETY_ANALYSIS;
  // Waits for the fetch under way; nullptr: `context` ended first.
  std::shared_ptr<Fetch> join(MutexLock& lock, const RequestContext& context) CAIRN_REQUIRES(mutex_);
  void note_locked(const Fetch& fetch) CAIRN_REQUIRES(mutex_);

  const CredentialSettings settings_;
  HttpTransport& transport_;
  const Clock& clock_;
  mutable Mutex mutex_;  // never held over a link's work
  Condition fetched_;
  std::optional<Credentials> current_ CAIRN_GUARDED_BY(mutex_);
  std::string source_ CAIRN_GUARDED_BY(mutex_);
  std::shared_ptr<Fetch> under_way_ CAIRN_GUARDED_BY(mutex_);
  SteadyTime no_refresh_before_ CAIRN_GUARDED_BY(mutex_){};
  bool warned_ CAIRN_GUARDED_BY(mutex_) = false;  // of the refresh that fails; until one succeeds
};

}  // namespace cairn
