#include "remote/credentials/shared_profile.h"

namespace cairn {

namespace {

// Empty: there is no such file, for want of a home directory.
std::string credentials_path(const CredentialEnvironment& environment) {
  const std::string path = environment.path_setting("AWS_SHARED_CREDENTIALS_FILE");
  return path.empty() ? environment.home_path(".aws/credentials") : path;
}

std::string config_path(const CredentialEnvironment& environment) {
  const std::string path = environment.path_setting("AWS_CONFIG_FILE");
  return path.empty() ? environment.home_path(".aws/config") : path;
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

}  // namespace

std::string ProfilePart::get(const std::string& key) const {
  if (!settings || !settings->contains(key)) return {};
  return settings->at(key);
}

const ProfilePart* SharedProfile::part_with(const std::string& key) const {
  for (const ProfilePart& part : parts) {
    if (!part.get(key).empty()) return &part;
  }
  return nullptr;
}

std::string SharedProfile::get(const std::string& key) const {
  const ProfilePart* part = part_with(key);
  return part == nullptr ? "" : part->get(key);
}

std::string SharedProfile::in(const ProfilePart& part) const {
  return fmt::format("profile '{}' of {}", name, part.path);
}

Result<SharedProfile> load_shared_profile(const std::string& name, const CredentialEnvironment& environment) {
  auto credentials = load_part(credentials_path(environment), AwsFileKind::credentials, name);
  if (!credentials) return fail(std::move(credentials).error());
  auto config = load_part(config_path(environment), AwsFileKind::config, name);
  if (!config) return fail(std::move(config).error());
  return SharedProfile{name, {std::move(*credentials), std::move(*config)}};
}

Result<std::optional<AwsSettings>> load_sso_session(const std::string& name, const CredentialEnvironment& environment) {
  auto section = load_part(config_path(environment), AwsFileKind::sso_sessions, name);
  if (!section) return fail(std::move(section).error());
  return std::move(section->settings);
}

}  // namespace cairn
