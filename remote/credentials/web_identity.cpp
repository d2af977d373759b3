#include "remote/credentials/web_identity.h"

#include <algorithm>

#include "base/ascii.h"
#include "remote/credentials/credential_answer.h"
#include "remote/credentials/credential_links.h"
#include "remote/credentials/metadata_request.h"
#include "remote/credentials/settings_text.h"
#include "remote/http/percent_encoding.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kStsTimeout{10};

std::string region_of(const CredentialSettings& settings) {
  if (!settings.region.empty()) return settings.region;
  const std::string region = settings.environment.setting("AWS_REGION");
  return region.empty() ? settings.environment.setting("AWS_DEFAULT_REGION") : region;
}

Result<std::string> sts_url(const CredentialSettings& settings) {
  std::string endpoint = settings.environment.setting("AWS_ENDPOINT_URL_STS");
  if (!endpoint.empty()) {
    const bool is_url = endpoint.starts_with("https://") || endpoint.starts_with("http://");
    if (!is_url || !is_visible_ascii(endpoint) || endpoint.find('@') != std::string::npos) {
      return fail(Errc::invalid_argument, "AWS_ENDPOINT_URL_STS is not 'https://HOST' or 'http://HOST'");
    }
    return endpoint.ends_with('/') ? endpoint : endpoint + "/";
  }
  const std::string region = region_of(settings);
  if (!region.empty() && !is_host_label(region))
    return fail(Errc::invalid_argument, "the region's name cannot be part of a host name");
  if (region.empty()) return "https://sts.amazonaws.com/";
  return fmt::format("https://sts.{}.amazonaws.com{}/", region, region.starts_with("cn-") ? ".cn" : "");
}

Result<std::string> load_token(const std::string& path) {
  auto text = load_settings_file(path);
  if (!text) return fail(std::move(text).error());
  if (!*text) return fail(Errc::invalid_argument, "the web identity token file {} does not exist", path);
  std::string token(trimmed(**text));
  if (token.empty()) return fail(Errc::invalid_argument, "the web identity token file {} is empty", path);
  return token;
}

std::string_view advice_on(std::string_view code) {
  if (code == "AccessDenied") return ": the role's trust policy does not let this token assume it";
  if (code == "ExpiredTokenException") return ": the token has expired, and whoever writes the file has not renewed it";
  if (code == "InvalidIdentityToken") return ": the role's account does not know the token's issuer, or it is no token";
  if (code == "ValidationError") return ": role ARN or session name are malformed";
  return "";
}

Error refusal(const HttpAnswer& answer) {
  const std::string code = decode_sts_error_code(answer.body.view());
  const bool passing = is_passing_fault(answer.status) || code == "IDPCommunicationError" || code == "Throttling";
  return {passing ? Errc::unavailable : Errc::permission_denied,
          fmt::format("HTTP {}{}{}{}", answer.status, code.empty() ? "" : " ", code, advice_on(code))};
}

Result<Credentials> decode_answer(const HttpAnswer& answer) {
  if (answer.status != 200) return fail(refusal(answer));
  return decode_sts_credentials(answer.body.view());
}

}  // namespace

Result<Credentials> assume_role(const WebIdentity& identity, const CredentialSettings& settings,
                                HttpTransport& transport, const RequestContext& context) {
  const auto url = sts_url(settings);
  if (!url) return fail(url.error());
  const auto token = load_token(identity.token_file);
  if (!token) return fail(token.error());
  const std::string session = identity.session_name.empty() ? "cairnfs" : identity.session_name;
  const std::string form = canonical_query({{"Action", "AssumeRoleWithWebIdentity"},
                                            {"Version", "2011-06-15"},
                                            {"RoleArn", identity.role_arn},
                                            {"RoleSessionName", session},
                                            {"WebIdentityToken", *token}});
  HttpRequest request{.method = "POST",
                      .url = *url,
                      .headers = {{"content-type", "application/x-www-form-urlencoded"}, {"accept", "application/xml"}},
                      .body = as_bytes(form)};
  auto answer = send_briefly(transport, std::move(request), kStsTimeout, context);
  auto credentials = answer.and_then(decode_answer);
  if (credentials) return credentials;
  return fail(credentials.error().in(fmt::format("assume role {} at {}", identity.role_arn, *url)));
}

LinkAnswer web_identity_link(const CredentialSettings& settings, HttpTransport& transport,
                             const RequestContext& context) {
  if (!settings.profile.empty()) return NothingThere{fmt::format("passed over for profile '{}'", settings.profile)};
  const CredentialEnvironment& environment = settings.environment;
  const WebIdentity identity{.token_file = environment.path_setting("AWS_WEB_IDENTITY_TOKEN_FILE"),
                             .role_arn = environment.setting("AWS_ROLE_ARN"),
                             .session_name = environment.setting("AWS_ROLE_SESSION_NAME")};
  if (identity.token_file.empty()) return NothingThere{"AWS_WEB_IDENTITY_TOKEN_FILE is not set"};
  if (identity.role_arn.empty()) {
    return fail(Errc::invalid_argument, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not: set both");
  }
  auto credentials = assume_role(identity, settings, transport, context);
  if (!credentials) return fail(std::move(credentials).error());
  return FoundCredentials{std::move(*credentials), fmt::format("web identity as {}", identity.role_arn)};
}

}  // namespace cairn
