#include "remote/credentials/credential_chain.h"

#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/log.h"
#include "base/mutex.h"
#include "remote/credentials/credential_links.h"
#include "remote/credentials/settings_text.h"

namespace cairn {

namespace {

constexpr std::chrono::minutes kRefreshBeforeExpiry{5};
constexpr std::chrono::seconds kBetweenRefreshes{30};

struct NamedLink {
  std::string_view name;
  CredentialLink look;
};

constexpr std::array<NamedLink, 5> kLinks = {{{"environment", environment_link},
                                              {"web identity", web_identity_link},
                                              {"shared files", profile_link},
                                              {"container", container_link},
                                              {"instance", instance_link}}};

Error none_found(const std::vector<std::string>& looked, const std::string& last_source) {
  const std::string places = fmt::format("{}", fmt::join(looked, "; "));
  // A source that was there comes back, most likely: an instance's metadata service that is being restarted.
  if (!last_source.empty()) {
    return {Errc::unavailable,
            fmt::format("no credentials found any more; looked at {}. The last came from {}", places, last_source)};
  }
  return {Errc::permission_denied,
          fmt::format("no credentials found; looked at {}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run `aws "
                      "configure`, or add anonymous=true to the URL of a public bucket",
                      places)};
}

Result<FoundCredentials> walk_links(const CredentialSearch& search, const std::string& last_source) {
  std::vector<std::string> looked;
  for (const NamedLink& link : kLinks) {
    if (auto live = search.context.check(); !live) return fail(live.error().in("find credentials"));
    auto answer = link.look(search);
    if (!answer) return fail(answer.error().in("find credentials"));
    if (auto* found = std::get_if<FoundCredentials>(&*answer)) return std::move(*found);
    looked.push_back(fmt::format("{} ({})", link.name, std::get<NothingThere>(*answer).why));
  }
  return fail(none_found(looked, last_source));
}

bool was_given_up(const Error& error) {
  return error.code() == Errc::cancelled || error.code() == Errc::deadline_exceeded;
}

}  // namespace

// One walk along the chain, whose outcome is for everybody who waits for it.
struct CredentialChain::Fetch {
  std::optional<Result<FoundCredentials>> outcome;  // under the chain's mutex_; final once set
};

CredentialChain::CredentialChain(CredentialSettings settings, HttpTransport& transport, const Clock& clock)
    : settings_(std::move(settings)), transport_(transport), clock_(clock) {}

CredentialChain::~CredentialChain() = default;

Result<Credentials> CredentialChain::credentials(const RequestContext& context, const Credentials* stale) {
  MutexLock lock(mutex_);
  if (stale != nullptr && current_ == *stale) current_.reset();
  while (true) {
    const bool valid = is_valid_locked();
    if (valid && (under_way_ || !wants_refresh_locked())) return *current_;
    const bool leads = under_way_ == nullptr;
    const auto fetch = leads ? lead(lock, context) : join(lock, context);
    if (fetch == nullptr) return fail(context.check().error().in("wait for credentials"));
    const Result<FoundCredentials>& outcome = *fetch->outcome;
    if (outcome && stale != nullptr && outcome->credentials == *stale) {
      return fail(Errc::permission_denied, "the credentials of {} were refused as expired, and it still holds the same",
                  outcome->source);
    }
    if (outcome) return outcome->credentials;
    if (is_valid_locked()) return *current_;
    if (leads || !was_given_up(outcome.error())) return fail(outcome.error());
  }
}

std::string CredentialChain::source() const {
  const MutexLock lock(mutex_);
  return source_;
}

bool CredentialChain::is_valid_locked() const {
  return current_ && (!current_->expires || *current_->expires > clock_.wall_now());
}

bool CredentialChain::wants_refresh_locked() const {
  if (!current_->expires || clock_.steady_now() < no_refresh_before_) return false;
  return *current_->expires - clock_.wall_now() <= std::chrono::nanoseconds(kRefreshBeforeExpiry).count();
}

std::shared_ptr<CredentialChain::Fetch> CredentialChain::lead(MutexLock& lock, const RequestContext& context) {
  const auto fetch = std::make_shared<Fetch>();
  under_way_ = fetch;
  const std::string last_source = source_;
  lock.unlock();
  auto found = walk_links({settings_, transport_, clock_, context}, last_source);
  const Nanos now = clock_.wall_now();
  if (found && found->credentials.expires && *found->credentials.expires <= now) {
    found = fail(Errc::unavailable, "the credentials of {} have expired already; is this machine's clock right?",
                 found->source);
  }
  lock.lock();
  fetch->outcome = std::move(found);
  under_way_.reset();
  note_locked(*fetch);
  fetched_.notify_all();
  return fetch;
}

std::shared_ptr<CredentialChain::Fetch> CredentialChain::join(MutexLock& lock, const RequestContext& context) {
  const auto fetch = under_way_;
  const auto done = fetched_.wait(lock, context, [&fetch] { return fetch->outcome.has_value(); });
  return done ? fetch : nullptr;
}

void CredentialChain::note_locked(const Fetch& fetch) {
  no_refresh_before_ = clock_.steady_now() + kBetweenRefreshes;
  if (*fetch.outcome) {
    current_ = (*fetch.outcome)->credentials;
    const std::string before = std::exchange(source_, (*fetch.outcome)->source);
    if (source_ != before) log::info("s3: credentials of {}", source_);
    warned_ = false;
    return;
  }
  const Error& error = fetch.outcome->error();
  if (!is_valid_locked() || warned_ || was_given_up(error)) return;
  warned_ = true;
  log::warning("credentials of {} could not be renewed and are used until they expire: {}", source_, error.message());
}

}  // namespace cairn
