// A machine on which credentials are looked for: its variables, files, metadata services and clock.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "remote/credentials/credential_chain.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scripted_http_transport.h"
#include "tests/support/test_environment.h"

namespace cairn {

// Everything secret holds this word, so that a test can see whether any of it got out.
inline constexpr const char* kSecretMark = "hush";

inline constexpr const char* kSts = "https://sts.eu-west-1.amazonaws.com/";
inline constexpr const char* kEcs = "http://169.254.170.2/v2/credentials/7";
inline constexpr const char* kImds = "http://169.254.169.254";
inline constexpr const char* kImdsToken = "http://169.254.169.254/latest/api/token";
inline constexpr const char* kImdsRoles = "http://169.254.169.254/latest/meta-data/iam/security-credentials/";

// Not for threads, apart from what it holds.
class CredentialWorld {
 public:
  std::map<std::string, std::string> variables;
  ScriptedHttpTransport http;
  FakeClock clock;

  [[nodiscard]] std::string path(const std::string& name) const { return (home_.path() / name).string(); }
  void write(const std::string& name, const std::string& text) const;

  [[nodiscard]] CredentialSettings options(const std::string& profile = "") const;
  [[nodiscard]] std::unique_ptr<CredentialChain> chain(const std::string& profile = "");

  // The failure of a new chain. Its text has been searched for secrets.
  Error failure(const std::string& profile = "");

  // A time of the clock's, in the form of the answers: "2026-01-01T01:00:00Z".
  [[nodiscard]] std::string in(std::chrono::seconds from_now) const;
  // Credentials "<name>-id", "<name>-hush" and "<name>-token-hush" that last for so long.
  [[nodiscard]] std::string json(const std::string& name, std::chrono::seconds lifetime = std::chrono::hours(1)) const;
  [[nodiscard]] std::string sts_xml(const std::string& name,
                                    std::chrono::seconds lifetime = std::chrono::hours(1)) const;

  // Sets each link up so that it gives credentials of that name.
  void set_environment_keys(const std::string& name);
  void set_web_identity(const std::string& name);
  void set_profile_keys(const std::string& profile, const std::string& name) const;
  void set_container(const std::string& name);
  void set_instance(const std::string& name, const std::string& role = "my-role");

 private:
  TemporaryDirectory home_;
};

}  // namespace cairn
