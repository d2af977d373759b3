#include "remote/credentials/web_identity.h"

#include "base/ascii.h"
#include "remote/credentials/settings_text.h"
#include "remote/credentials/sts_request.h"

namespace cairn {

namespace {

Result<std::string> load_token(const std::string& path) {
  auto text = load_settings_file(path);
  if (!text) return fail(std::move(text).error());
  if (!*text) return fail(Errc::invalid_argument, "the web identity token file {} does not exist", path);
  std::string token(trimmed(**text));
  if (token.empty()) return fail(Errc::invalid_argument, "the web identity token file {} is empty", path);
  return token;
}

}  // namespace

Result<Credentials> assume_role(const WebIdentity& identity, const CredentialSearch& search) {
  const auto token = load_token(identity.token_file);
  if (!token) return fail(token.error());
  return ask_sts({.operation = "AssumeRoleWithWebIdentity",
                  .role_arn = identity.role_arn,
                  .session_name = identity.session_name,
                  .parameters = {{"WebIdentityToken", *token}},
                  .signer = nullptr},
                 search);
}

LinkAnswer web_identity_link(const CredentialSearch& search) {
  const CredentialSettings& settings = search.settings;
  if (!settings.profile.empty()) return NothingThere{fmt::format("passed over for profile '{}'", settings.profile)};
  const CredentialEnvironment& environment = settings.environment;
  const WebIdentity identity{.token_file = environment.path_setting("AWS_WEB_IDENTITY_TOKEN_FILE"),
                             .role_arn = environment.setting("AWS_ROLE_ARN"),
                             .session_name = environment.setting("AWS_ROLE_SESSION_NAME")};
  if (identity.token_file.empty()) return NothingThere{"AWS_WEB_IDENTITY_TOKEN_FILE is not set"};
  if (identity.role_arn.empty()) {
    return fail(Errc::invalid_argument, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not: set both");
  }
  auto credentials = assume_role(identity, search);
  if (!credentials) return fail(std::move(credentials).error());
  return FoundCredentials{std::move(*credentials), fmt::format("web identity as {}", identity.role_arn)};
}

}  // namespace cairn
