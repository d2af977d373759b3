#include "remote/credentials/credential_environment.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "base/ascii.h"

namespace cairn {

namespace {

std::string home_directory() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return home;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> texts(16 << 10);
  if (::getpwuid_r(::getuid(), &entry, texts.data(), texts.size(), &found) != 0 || found == nullptr) return {};
  return found->pw_dir;
}

}  // namespace

CredentialEnvironment CredentialEnvironment::of_this_process() {
  CredentialEnvironment environment;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  environment.home = home_directory();
  return environment;
}

std::string CredentialEnvironment::setting(const std::string& name) const {
  return std::string(trimmed(variable(name).value_or("")));
}

std::string CredentialEnvironment::home_path(const std::string& below) const {
  return home.empty() ? "" : home + "/" + below;
}

std::string CredentialEnvironment::path_setting(const std::string& name) const {
  const std::string path = setting(name);
  return path.starts_with("~/") && !home.empty() ? home + path.substr(1) : path;
}

}  // namespace cairn
