// A profile of the shared files, ~/.aws/credentials and ~/.aws/config.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "remote/credentials/aws_profile.h"
#include "remote/credentials/credential_environment.h"

namespace cairn {

// What one of the two files says about the profile.
struct ProfilePart {
  std::string path;
  std::optional<AwsSettings> settings;  // nullopt: the file does not know it

  // Empty: it is not set, or blank.
  [[nodiscard]] std::string get(const std::string& key) const;
};

struct SharedProfile {
  std::string name;
  std::array<ProfilePart, 2> parts;  // the credentials file, whose settings count first, and the config file

  [[nodiscard]] bool exists() const { return parts[0].settings || parts[1].settings; }
  // The part that sets `key`, or nullptr.
  [[nodiscard]] const ProfilePart* part_with(const std::string& key) const;
  // Empty: neither part sets it.
  [[nodiscard]] std::string get(const std::string& key) const;
  // "profile 'training' of /root/.aws/config"
  [[nodiscard]] std::string in(const ProfilePart& part) const;
  // The same of whichever part sets `key`, which one does.
  [[nodiscard]] std::string with(const std::string& key) const { return in(*part_with(key)); }
};

// The profile as AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, or the usual files, have it now.
// Failures: those of load_aws_profiles.
Result<SharedProfile> load_shared_profile(const std::string& name, const CredentialEnvironment& environment);

// The section "[sso-session NAME]" of the config file; nullopt: it has none. Failures: those of load_aws_profiles.
Result<std::optional<AwsSettings>> load_sso_session(const std::string& name, const CredentialEnvironment& environment);

}  // namespace cairn
