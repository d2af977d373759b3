#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "remote/credentials/credential_answer.h"
#include "remote/credentials/credential_links.h"
#include "remote/credentials/metadata_request.h"
#include "remote/credentials/settings_text.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kContainerTimeout{2};

constexpr const char* kRelativeUri = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
constexpr const char* kFullUri = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
constexpr const char* kToken = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
constexpr const char* kTokenFile = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

// "host:80" -> "host", "[::1]" -> "::1"; empty: it is malformed, or holds a user's name or anything else that two
// readers of a URL may understand differently.
std::string host_of(std::string_view authority) {
  constexpr std::string_view kName = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-";
  constexpr std::string_view kAddress = "0123456789abcdef:";
  const bool bracketed = authority.starts_with('[');
  if (bracketed) authority.remove_prefix(1);
  const size_t end = authority.find(bracketed ? ']' : ':');
  if (bracketed && end == std::string_view::npos) return {};
  const std::string_view host = authority.substr(0, end);
  std::string_view port = authority.substr(std::min(end, authority.size()));
  if (bracketed) port.remove_prefix(1);
  const bool port_is_good =
      port.empty() || (port.front() == ':' && port.find_first_not_of("0123456789", 1) == std::string_view::npos);
  const bool host_is_good = host.find_first_not_of(bracketed ? kAddress : kName) == std::string_view::npos;
  return port_is_good && host_is_good ? std::string(host) : "";
}

bool is_loopback(const std::string& host) {
  in_addr four{};
  if (inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  in6_addr six{};
  if (inet_pton(AF_INET6, host.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six);
  return host == "localhost";
}

// The hosts that the guide allows for plain HTTP: ECS, EKS, and EKS by IPv6.
bool is_container_host(const std::string& host) {
  constexpr std::array<std::string_view, 3> kHosts = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23"};
  return std::ranges::find(kHosts, host) != kHosts.end();
}

// The token that we send must not leave the machine in the clear.
Result<std::string> checked_full_uri(const std::string& uri) {
  const size_t scheme_end = uri.find("://");
  const std::string scheme = uri.substr(0, scheme_end);
  if (scheme_end == std::string::npos || (scheme != "https" && scheme != "http") || !is_visible_ascii(uri)) {
    return fail(Errc::invalid_argument, "{} is no http or https URL", kFullUri);
  }
  const std::string_view rest = std::string_view(uri).substr(scheme_end + 3);
  const std::string host = host_of(rest.substr(0, rest.find_first_of("/?#")));
  if (host.empty()) return fail(Errc::invalid_argument, "{} is no URL of a plain host", kFullUri);
  if (scheme == "https" || is_loopback(host) || is_container_host(host)) return uri;
  return fail(Errc::invalid_argument,
              "{} names the host {} by plain http, which is allowed only for this machine and the endpoints of ECS and "
              "EKS: use https",
              kFullUri, host);
}

Result<std::string> url_of(const CredentialEnvironment& environment) {
  const std::string relative = environment.setting(kRelativeUri);
  if (relative.empty()) return checked_full_uri(environment.setting(kFullUri));
  if (relative.starts_with('/') && is_visible_ascii(relative)) return environment.container_metadata_url + relative;
  return fail(Errc::invalid_argument, "{} is no path that begins with '/'", kRelativeUri);
}

Result<std::string> load_token(const CredentialEnvironment& environment) {
  const std::string path = environment.path_setting(kTokenFile);
  std::string token = environment.setting(kToken);
  if (!path.empty()) {
    const auto text = load_settings_file(path);
    if (!text) return fail(text.error());
    if (!*text) return fail(Errc::invalid_argument, "{} names {}, which does not exist", kTokenFile, path);
    token = trimmed(**text);
  }
  // A line feed inside would begin another header. "Bearer x" is a legitimate value.
  const bool one_line = std::ranges::all_of(token, [](char c) { return c >= ' ' && c <= '~'; });
  if (!one_line)
    return fail(Errc::invalid_argument, "{} holds a line feed or control character", path.empty() ? kToken : path);
  return token;
}

Result<Credentials> decode_answer(const HttpAnswer& answer) {
  if (answer.status == 200) return decode_metadata_credentials(answer.body.view());
  return fail(is_passing_fault(answer.status) ? Errc::unavailable : Errc::permission_denied, "HTTP {}", answer.status);
}

}  // namespace

LinkAnswer container_link(const CredentialSearch& search) {
  const CredentialEnvironment& environment = search.settings.environment;
  if (environment.setting(kRelativeUri).empty() && environment.setting(kFullUri).empty()) {
    return NothingThere{fmt::format("{} is not set", kFullUri)};
  }
  const auto url = url_of(environment);
  if (!url) return fail(url.error());
  const auto token = load_token(environment);
  if (!token) return fail(token.error());
  HttpRequest request{
      .method = "GET", .url = *url, .headers = {{"accept", "application/json"}}, .body = {}, .no_proxy = true};
  if (!token->empty()) request.headers.push_back({"authorization", *token});
  // Not the whole URL: it comes from a variable that may hold more than an address.
  const std::string where = url->substr(0, url->find_first_of("/?#", url->find("://") + 3));
  auto credentials =
      send_briefly(search.transport, std::move(request), kContainerTimeout, search.context).and_then(decode_answer);
  if (!credentials) return fail(credentials.error().in(fmt::format("container credentials of {}", where)));
  return FoundCredentials{std::move(*credentials), fmt::format("container endpoint {}", where)};
}

}  // namespace cairn
