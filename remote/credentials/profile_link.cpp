#include <algorithm>
#include <array>
#include <charconv>

#include "remote/credentials/credential_links.h"
#include "remote/credentials/profile_sources.h"
#include "remote/credentials/shared_profile.h"
#include "remote/credentials/sts_request.h"
#include "remote/credentials/web_identity.h"

namespace cairn {

namespace {

constexpr const char* kAccessKeyId = "aws_access_key_id";
constexpr const char* kSecretAccessKey = "aws_secret_access_key";
constexpr const char* kSessionToken = "aws_session_token";
constexpr std::array<const char*, 3> kRoleSources = {"web_identity_token_file", "source_profile", "credential_source"};

tl::unexpected<Error> not_done_here(const SharedProfile& profile, const std::string& key) {
  return fail(
      Errc::invalid_argument,
      "{} sets {}, which is not supported: let `aws configure export-credentials --profile {} --format env` print "
      "credentials for the environment, or name a profile with keys",
      profile.with(key), key, profile.name);
}

tl::unexpected<Error> one_without_other(const SharedProfile& profile, const ProfilePart& part, std::string_view one,
                                        std::string_view other) {
  return fail(Errc::invalid_argument, "{} sets {}, but not {}", profile.in(part), one, other);
}

std::string not_there(const SharedProfile& profile) {
  return fmt::format("profile '{}' is neither in {} nor in {}", profile.name, profile.parts[0].path,
                     profile.parts[1].path);
}

// Keys belong together: none is taken from another file.
LinkAnswer keys_of(const SharedProfile& profile, const ProfilePart& part) {
  if (part.get(kAccessKeyId).empty()) return one_without_other(profile, part, kSecretAccessKey, kAccessKeyId);
  if (part.get(kSecretAccessKey).empty()) return one_without_other(profile, part, kAccessKeyId, kSecretAccessKey);
  auto credentials = written_credentials(
      {part.get(kAccessKeyId), part.get(kSecretAccessKey), part.get(kSessionToken), {}}, profile.in(part));
  if (!credentials) return fail(std::move(credentials).error());
  return FoundCredentials{std::move(*credentials), profile.in(part)};
}

LinkAnswer found_with(const SharedProfile& profile, const char* key, Result<Credentials> credentials) {
  if (!credentials) return fail(std::move(credentials).error());
  return FoundCredentials{std::move(*credentials), profile.with(key)};
}

// Whatever the profile gives by itself, without a role.
LinkAnswer own_credentials_of(const SharedProfile& profile, const CredentialSearch& search) {
  for (const ProfilePart& part : profile.parts) {
    if (!part.get(kAccessKeyId).empty() || !part.get(kSecretAccessKey).empty()) return keys_of(profile, part);
  }
  if (const ProfilePart* part = profile.part_with("web_identity_token_file")) {
    if (profile.part_with("role_arn") == nullptr) {
      return one_without_other(profile, *part, "web_identity_token_file", "role_arn");
    }
  }
  for (const char* key : {"sso_session", "sso_start_url"}) {
    if (profile.part_with(key) != nullptr) return found_with(profile, key, fetch_sso_credentials(profile, search));
  }
  if (profile.part_with("credential_process") != nullptr) {
    return found_with(profile, "credential_process", run_credential_process(profile, search));
  }
  if (profile.part_with("login_session") != nullptr) return not_done_here(profile, "login_session");
  return NothingThere{fmt::format("profile '{}' holds no keys", profile.name)};
}

// Follows a profile to its credentials: a role's source may be another profile, with a role of its own.
class ProfileResolver {
 public:
  explicit ProfileResolver(const CredentialSearch& search) : search_(search) {}

  // A role that the profile names is meant, whatever else it holds.
  LinkAnswer resolve(const SharedProfile& profile) {
    constexpr size_t kMostRoles = 5;
    if (profile.part_with("role_arn") == nullptr) return own_credentials_of(profile, search_);
    if (chain_.size() == kMostRoles) {
      return fail(Errc::invalid_argument, "{}: more than {} roles, one by the other: {}", profile.with("role_arn"),
                  kMostRoles, fmt::join(chain_, " -> "));
    }
    chain_.push_back(profile.name);
    return found_with(profile, "role_arn", assume_role_of(profile));
  }

 private:
  Result<Credentials> assume_role_of(const SharedProfile& profile) {
    const auto is_set = [&](const char* key) { return profile.part_with(key) != nullptr; };
    const auto source = std::ranges::find_if(kRoleSources, is_set);
    if (source == kRoleSources.end()) {
      return one_without_other(profile, *profile.part_with("role_arn"), "role_arn",
                               "web_identity_token_file, source_profile or credential_source");
    }
    const auto second = std::find_if(source + 1, kRoleSources.end(), is_set);
    if (second != kRoleSources.end()) {
      return fail(Errc::invalid_argument, "{} sets both {} and {}: keep one", profile.with(*source), *source, *second);
    }
    if (is_set("mfa_serial")) return not_done_here(profile, "mfa_serial");
    if (source == kRoleSources.begin()) return by_web_identity(profile);
    auto signer = source == kRoleSources.begin() + 1 ? source_profile_of(profile) : credential_source_of(profile);
    if (!signer) return signer;
    return by_keys(profile, *signer);
  }

  [[nodiscard]] Result<Credentials> by_web_identity(const SharedProfile& profile) const {
    const WebIdentity identity{.token_file = profile.get("web_identity_token_file"),
                               .role_arn = profile.get("role_arn"),
                               .session_name = profile.get("role_session_name")};
    auto credentials = assume_role(identity, search_);
    if (!credentials) return fail(credentials.error().in(profile.with("role_arn")));
    return credentials;
  }

  [[nodiscard]] Result<Credentials> by_keys(const SharedProfile& profile, const Credentials& signer) const {
    QueryParameters parameters;
    if (const std::string id = profile.get("external_id"); !id.empty()) parameters.emplace_back("ExternalId", id);
    if (const std::string seconds = profile.get("duration_seconds"); !seconds.empty()) {
      int value = 0;
      const auto [end, error] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), value);
      if (error != std::errc() || end != seconds.data() + seconds.size() || value < 900 || value > 43200) {
        return fail(Errc::invalid_argument, "{}: duration_seconds is a number from 900 to 43200",
                    profile.with("duration_seconds"));
      }
      parameters.emplace_back("DurationSeconds", seconds);
    }
    auto credentials = ask_sts({.operation = "AssumeRole",
                                .role_arn = profile.get("role_arn"),
                                .session_name = profile.get("role_session_name"),
                                .parameters = std::move(parameters),
                                .signer = &signer},
                               search_);
    if (!credentials) return fail(credentials.error().in(profile.with("role_arn")));
    return credentials;
  }

  // One that names itself means the keys beside its role.
  Result<Credentials> source_profile_of(const SharedProfile& profile) {
    const std::string name = profile.get("source_profile");
    const std::string where = profile.with("source_profile");
    if (name == profile.name) return needed(own_credentials_of(profile, search_), where + " names itself, but");
    if (std::ranges::find(chain_, name) != chain_.end()) {
      return fail(Errc::invalid_argument, "{}: source_profile leads in a circle: {} -> {}", where,
                  fmt::join(chain_, " -> "), name);
    }
    const auto source = load_shared_profile(name, search_.settings.environment);
    if (!source) return fail(source.error());
    if (!source->exists()) return fail(Errc::invalid_argument, "{}: source_profile: {}", where, not_there(*source));
    return needed(resolve(*source), where + ": source_profile:");
  }

  [[nodiscard]] Result<Credentials> credential_source_of(const SharedProfile& profile) const {
    struct Source {
      std::string_view name;
      CredentialLink look;
    };
    constexpr std::array<Source, 3> kSources = {
        {{"Environment", environment_link}, {"EcsContainer", container_link}, {"Ec2InstanceMetadata", instance_link}}};
    const std::string name = profile.get("credential_source");
    const std::string where = profile.with("credential_source");
    const auto source = std::ranges::find(kSources, name, &Source::name);
    if (source == kSources.end()) {
      return fail(Errc::invalid_argument,
                  "{}: credential_source is one of Environment, EcsContainer, Ec2InstanceMetadata", where);
    }
    CredentialSettings settings = search_.settings;
    settings.profile.clear();  // it passes over none of them here
    return needed(source->look({settings, search_.transport, search_.clock, search_.context}),
                  where + ": credential_source:");
  }

  // A role cannot do without its source.
  static Result<Credentials> needed(LinkAnswer answer, const std::string& where) {
    if (!answer) return fail(std::move(answer).error());
    if (auto* found = std::get_if<FoundCredentials>(&*answer)) return std::move(found->credentials);
    return fail(Errc::permission_denied, "{} {}", where, std::get<NothingThere>(*answer).why);
  }

  const CredentialSearch& search_;
  std::vector<std::string> chain_;  // the profiles whose roles wait for their source
};

}  // namespace

LinkAnswer profile_link(const CredentialSearch& search) {
  const CredentialEnvironment& environment = search.settings.environment;
  std::string name = search.settings.profile;
  if (name.empty()) name = environment.setting("AWS_PROFILE");
  const bool is_named = !name.empty();  // by somebody: it must exist
  const auto profile = load_shared_profile(is_named ? name : "default", environment);
  if (!profile) return fail(profile.error());
  if (profile->exists()) return ProfileResolver(search).resolve(*profile);
  if (is_named) return fail(Errc::invalid_argument, "{}", not_there(*profile));
  return NothingThere{not_there(*profile)};
}

}  // namespace cairn
