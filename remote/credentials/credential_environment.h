// The settings of a search for credentials, and the surroundings that it may look at.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace cairn {

// What the chain looks at besides the network; tests give their own.
struct CredentialEnvironment {
  std::function<std::optional<std::string>(const std::string& name)> variable;  // getenv
  std::string home;                                                             // for ~/.aws; empty: there is none
  std::string instance_metadata_url = "http://169.254.169.254";
  std::string container_metadata_url = "http://169.254.170.2";

  static CredentialEnvironment of_this_process();

  // The variable without white space around it: what orchestrators mount often ends in a line feed. Empty: it is not
  // set, or blank.
  [[nodiscard]] std::string setting(const std::string& name) const;
  // The same for a path, where "~/" is the home directory.
  [[nodiscard]] std::string path_setting(const std::string& name) const;
  // ".aws/config" below the home directory; empty if there is none.
  [[nodiscard]] std::string home_path(const std::string& below) const;
};

struct CredentialSettings {
  std::string profile;  // empty: AWS_PROFILE, else "default"; named: keys and web identity of the environment are
                        // passed over
  std::string region;   // of the STS endpoint; empty: AWS_REGION, AWS_DEFAULT_REGION, else the global endpoint
  CredentialEnvironment environment;
};

}  // namespace cairn
