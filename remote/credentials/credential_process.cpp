#include "remote/credentials/command_line.h"
#include "remote/credentials/credential_answer.h"
#include "remote/credentials/profile_sources.h"

namespace cairn {

Result<Credentials> run_credential_process(const SharedProfile& profile, const CredentialSearch& search) {
  constexpr std::chrono::seconds kLongest{60};
  constexpr size_t kMostBytes = 64 << 10;
  const auto credentials =
      split_command(profile.get("credential_process"))
          .and_then([&](const auto& words) { return run_command(words, kMostBytes, kLongest, search.context); })
          .and_then([](const std::string& printed) { return decode_process_credentials(printed); });
  if (credentials) return *credentials;
  // Not the command: its arguments may be secrets.
  return fail(credentials.error().in(profile.with("credential_process") + ": credential_process"));
}

}  // namespace cairn
