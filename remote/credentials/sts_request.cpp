#include "remote/credentials/sts_request.h"

#include "base/ascii.h"
#include "base/digest.h"
#include "remote/credentials/aws_host.h"
#include "remote/credentials/credential_answer.h"
#include "remote/credentials/metadata_request.h"
#include "remote/credentials/settings_text.h"
#include "remote/credentials/sigv4.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kStsTimeout{10};
constexpr const char* kEndpoint = "AWS_ENDPOINT_URL_STS";

std::string region_of(const CredentialSettings& settings) {
  if (!settings.region.empty()) return settings.region;
  const std::string region = settings.environment.setting("AWS_REGION");
  return region.empty() ? settings.environment.setting("AWS_DEFAULT_REGION") : region;
}

// "https://host/", with a path perhaps, and a "/" at its end.
Result<std::string> sts_url(const CredentialSettings& settings) {
  std::string endpoint = settings.environment.setting(kEndpoint);
  if (!endpoint.empty()) {
    const bool is_url = endpoint.starts_with("https://") || endpoint.starts_with("http://");
    if (!is_url || !is_visible_ascii(endpoint) || endpoint.find_first_of("@?#%") != std::string::npos) {
      return fail(Errc::invalid_argument, "{} is not 'https://HOST' or 'http://HOST'", kEndpoint);
    }
    return endpoint.ends_with('/') ? endpoint : endpoint + "/";
  }
  const std::string region = region_of(settings);
  if (region.empty()) return "https://sts.amazonaws.com/";
  if (!is_host_label(region)) {
    return fail(Errc::invalid_argument, "the region's name cannot be part of a host name");
  }
  return fmt::format("https://{}/", aws_host("sts", region));
}

// As curl writes the Host header, which is signed: without the port that is the scheme's own.
std::string host_of(std::string_view url) {
  const bool is_tls = url.starts_with("https:");
  url.remove_prefix(url.find("://") + 3);
  std::string_view host = url.substr(0, url.find('/'));
  const std::string_view own_port = is_tls ? ":443" : ":80";
  if (host.ends_with(own_port)) host.remove_suffix(own_port.size());
  return std::string(host);
}

std::vector<HttpHeader> signed_headers(const HttpRequest& http, const StsRequest& request,
                                       const CredentialSearch& search) {
  RequestToSign to_sign;
  to_sign.method = http.method;
  to_sign.host = host_of(http.url);
  to_sign.path = http.url.substr(http.url.find('/', http.url.find("://") + 3));
  to_sign.headers = http.headers;
  to_sign.payload_sha256 = sha256(http.body).hex();
  const std::string region = region_of(search.settings);
  return sign(std::move(to_sign), {.region = region.empty() ? "us-east-1" : region, .service = "sts"}, *request.signer,
              search.clock.wall_now());
}

std::string_view advice_on(std::string_view code, bool is_signed) {
  if (code == "AccessDenied" && is_signed) {
    return ": the role's trust policy, or a policy of who asks, does not allow sts:AssumeRole";
  }
  if (code == "AccessDenied") return ": the role's trust policy does not let this token assume it";
  if (code == "ExpiredTokenException") return ": the token has expired, and whoever writes the file has not renewed it";
  if (code == "InvalidIdentityToken") return ": the role's account does not know the token's issuer, or it is no token";
  if (code == "ValidationError") return ": role ARN, session name or duration are malformed";
  return "";
}

Error refusal(const HttpAnswer& answer, bool is_signed) {
  const std::string code = decode_sts_error_code(answer.body.view());
  const bool passing = is_passing_fault(answer.status) || code == "IDPCommunicationError" || code == "Throttling";
  return {passing ? Errc::unavailable : Errc::permission_denied,
          fmt::format("HTTP {}{}{}{}", answer.status, code.empty() ? "" : " ", code, advice_on(code, is_signed))};
}

}  // namespace

Result<Credentials> ask_sts(const StsRequest& request, const CredentialSearch& search) {
  const auto url = sts_url(search.settings);
  if (!url) return fail(url.error());
  QueryParameters parameters = request.parameters;
  parameters.emplace_back("Action", request.operation);
  parameters.emplace_back("Version", "2011-06-15");
  parameters.emplace_back("RoleArn", request.role_arn);
  parameters.emplace_back("RoleSessionName", request.session_name.empty() ? "cairnfs" : request.session_name);
  const std::string form = canonical_query(parameters);
  HttpRequest http{.method = "POST",
                   .url = *url,
                   .headers = {{"content-type", "application/x-www-form-urlencoded"}, {"accept", "application/xml"}},
                   .body = as_bytes(form)};
  if (request.signer != nullptr) http.headers = signed_headers(http, request, search);
  auto credentials = send_briefly(search.transport, std::move(http), kStsTimeout, search.context)
                         .and_then([&request](const HttpAnswer& answer) -> Result<Credentials> {
                           if (answer.status != 200) return fail(refusal(answer, request.signer != nullptr));
                           return decode_sts_credentials(answer.body.view(), request.operation);
                         });
  if (credentials) return credentials;
  return fail(credentials.error().in(fmt::format("assume role {} at {}", request.role_arn, *url)));
}

}  // namespace cairn
