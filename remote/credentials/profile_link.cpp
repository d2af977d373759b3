#include <array>
#include <optional>

#include "remote/credentials/aws_profile.h"
#include "remote/credentials/credential_links.h"
#include "remote/credentials/web_identity.h"

namespace cairn {

namespace {

constexpr const char* kAccessKeyId = "aws_access_key_id";
constexpr const char* kSecretAccessKey = "aws_secret_access_key";
constexpr const char* kSessionToken = "aws_session_token";

// What one of the two files says about the profile.
struct ProfilePart {
  std::string path;
  std::optional<AwsSettings> settings;  // nullopt: the file does not know it

  // Empty: it is not set, or blank.
  [[nodiscard]] std::string get(const std::string& key) const {
    if (!settings || !settings->contains(key)) return {};
    return settings->at(key);
  }
};

struct Profile {
  std::string name;
  bool named = false;                // by somebody: it must exist
  std::array<ProfilePart, 2> parts;  // the credentials file, whose settings count first, and the config file

  [[nodiscard]] bool exists() const { return parts[0].settings || parts[1].settings; }

  // The part that sets `key`, or nullptr.
  [[nodiscard]] const ProfilePart* part_with(const std::string& key) const {
    for (const ProfilePart& part : parts) {
      if (!part.get(key).empty()) return &part;
    }
    return nullptr;
  }

  [[nodiscard]] std::string get(const std::string& key) const {
    const ProfilePart* part = part_with(key);
    return part == nullptr ? "" : part->get(key);
  }

  [[nodiscard]] std::string in(const ProfilePart& part) const {
    return fmt::format("profile '{}' of {}", name, part.path);
  }
};

std::string file_path(const CredentialEnvironment& environment, const std::string& variable, const char* below_home) {
  const std::string path = environment.path_setting(variable);
  if (!path.empty() || environment.home.empty()) return path;
  return environment.home + "/" + below_home;
}

Result<ProfilePart> load_part(const std::string& path, AwsFileKind kind, const std::string& name) {
  ProfilePart part{path.empty() ? "no file" : path, std::nullopt};
  if (path.empty()) return part;
  auto profiles = load_aws_profiles(path, kind);
  if (!profiles) return fail(std::move(profiles).error());
  const auto found = profiles->find(name);
  if (found != profiles->end()) part.settings = std::move(found->second);
  return part;
}

Result<Profile> load_profile(const CredentialSettings& settings) {
  const CredentialEnvironment& environment = settings.environment;
  Profile profile{.name = settings.profile, .parts = {}};
  if (profile.name.empty()) profile.name = environment.setting("AWS_PROFILE");
  profile.named = !profile.name.empty();
  if (!profile.named) profile.name = "default";
  auto credentials = load_part(file_path(environment, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
                               AwsFileKind::credentials, profile.name);
  if (!credentials) return fail(std::move(credentials).error());
  auto config = load_part(file_path(environment, "AWS_CONFIG_FILE", ".aws/config"), AwsFileKind::config, profile.name);
  if (!config) return fail(std::move(config).error());
  profile.parts = {std::move(*credentials), std::move(*config)};
  return profile;
}

tl::unexpected<Error> not_done_here(const Profile& profile, const std::string& key) {
  return fail(
      Errc::invalid_argument,
      "{} sets {}, which is not supported: let `aws configure export-credentials --profile {} --format env` print "
      "credentials for the environment, or name a profile with keys",
      profile.in(*profile.part_with(key)), key, profile.name);
}

tl::unexpected<Error> one_without_other(const Profile& profile, const ProfilePart& part, std::string_view one,
                                        std::string_view other) {
  return fail(Errc::invalid_argument, "{} sets {}, but not {}", profile.in(part), one, other);
}

// A role that the profile names is meant, whatever else it holds.
LinkAnswer assume_role_of(const Profile& profile, const CredentialSettings& settings, HttpTransport& transport,
                          const RequestContext& context) {
  for (const char* key : {"source_profile", "credential_source"}) {
    if (profile.part_with(key) != nullptr) return not_done_here(profile, key);
  }
  const ProfilePart& part = *profile.part_with("role_arn");
  const WebIdentity identity{.token_file = profile.get("web_identity_token_file"),
                             .role_arn = profile.get("role_arn"),
                             .session_name = profile.get("role_session_name")};
  if (identity.token_file.empty()) return one_without_other(profile, part, "role_arn", "web_identity_token_file");
  auto credentials = assume_role(identity, settings, transport, context);
  if (!credentials) return fail(credentials.error().in(profile.in(part)));
  return FoundCredentials{std::move(*credentials), profile.in(part)};
}

// Keys belong together: none is taken from another file.
LinkAnswer keys_of(const Profile& profile, const ProfilePart& part) {
  if (part.get(kAccessKeyId).empty()) return one_without_other(profile, part, kSecretAccessKey, kAccessKeyId);
  if (part.get(kSecretAccessKey).empty()) return one_without_other(profile, part, kAccessKeyId, kSecretAccessKey);
  auto credentials = written_credentials(
      {part.get(kAccessKeyId), part.get(kSecretAccessKey), part.get(kSessionToken), {}}, profile.in(part));
  if (!credentials) return fail(std::move(credentials).error());
  return FoundCredentials{std::move(*credentials), profile.in(part)};
}

LinkAnswer missing(const Profile& profile) {
  const std::string where = fmt::format("profile '{}' is neither in {} nor in {}", profile.name, profile.parts[0].path,
                                        profile.parts[1].path);
  if (profile.named) return fail(Errc::invalid_argument, "{}", where);
  return NothingThere{where};
}

}  // namespace

LinkAnswer profile_link(const CredentialSettings& settings, HttpTransport& transport, const RequestContext& context) {
  const auto profile = load_profile(settings);
  if (!profile) return fail(profile.error());
  if (!profile->exists()) return missing(*profile);
  if (profile->part_with("role_arn") != nullptr) return assume_role_of(*profile, settings, transport, context);
  for (const ProfilePart& part : profile->parts) {
    if (!part.get(kAccessKeyId).empty() || !part.get(kSecretAccessKey).empty()) return keys_of(*profile, part);
  }
  if (const ProfilePart* part = profile->part_with("web_identity_token_file")) {
    return one_without_other(*profile, *part, "web_identity_token_file", "role_arn");
  }
  for (const char* key : {"sso_session", "sso_start_url", "login_session", "credential_process"}) {
    if (profile->part_with(key) != nullptr) return not_done_here(*profile, key);
  }
  return NothingThere{fmt::format("profile '{}' holds no keys", profile->name)};
}

}  // namespace cairn
