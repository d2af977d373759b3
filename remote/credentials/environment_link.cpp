#include "remote/credentials/credential_links.h"
#include "remote/credentials/settings_text.h"

namespace cairn {

Result<Credentials> written_credentials(Credentials credentials, const std::string& where) {
  for (const std::string* text :
       {&credentials.access_key_id, &credentials.secret_access_key, &credentials.session_token}) {
    if (is_visible_ascii(*text)) continue;
    return fail(Errc::invalid_argument, "the keys in {} hold a space, a line feed or another character that no key has",
                where);
  }
  return credentials;
}

LinkAnswer environment_link(const CredentialSearch& search) {
  const CredentialSettings& settings = search.settings;
  if (!settings.profile.empty()) return NothingThere{fmt::format("passed over for profile '{}'", settings.profile)};
  const CredentialEnvironment& environment = settings.environment;
  Credentials found{.access_key_id = environment.setting("AWS_ACCESS_KEY_ID"),
                    .secret_access_key = environment.setting("AWS_SECRET_ACCESS_KEY"),
                    .session_token = environment.setting("AWS_SESSION_TOKEN"),
                    .expires = {}};
  if (found.access_key_id.empty() && found.secret_access_key.empty()) {
    return NothingThere{"AWS_ACCESS_KEY_ID is not set"};
  }
  if (found.secret_access_key.empty()) {
    return fail(Errc::invalid_argument,
                "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not: set both or neither");
  }
  if (found.access_key_id.empty()) {
    return fail(Errc::invalid_argument,
                "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not: set both or neither");
  }
  auto credentials = written_credentials(std::move(found), "AWS_ACCESS_KEY_ID and its companions");
  if (!credentials) return fail(std::move(credentials).error());
  return FoundCredentials{std::move(*credentials), "environment (AWS_ACCESS_KEY_ID)"};
}

}  // namespace cairn
