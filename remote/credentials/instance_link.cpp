#include <algorithm>

#include "base/ascii.h"
#include "remote/credentials/credential_answer.h"
#include "remote/credentials/credential_links.h"
#include "remote/credentials/metadata_request.h"
#include "remote/credentials/settings_text.h"

namespace cairn {

namespace {

// A link-local answer takes a millisecond; elsewhere, packets to that address often vanish.
constexpr std::chrono::seconds kInstanceTimeout{1};
constexpr const char* kRolesPath = "/latest/meta-data/iam/security-credentials/";

bool is_disabled(const CredentialEnvironment& environment) {
  std::string value = environment.setting("AWS_EC2_METADATA_DISABLED");
  std::ranges::transform(value, value.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return value == "true";
}

std::string endpoint_of(const CredentialEnvironment& environment) {
  std::string url = environment.setting("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (url.empty()) url = environment.instance_metadata_url;
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// What IAM allows in a role's name, all of which may stand in a path.
bool is_role_name(std::string_view name) {
  constexpr std::string_view kAllowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_+=,.@-";
  return !name.empty() && name.find_first_not_of(kAllowed) == std::string_view::npos;
}

// A conversation with the metadata service.
class InstanceMetadata {
 public:
  InstanceMetadata(std::string endpoint, HttpTransport& transport, const RequestContext& context)
      : endpoint_(std::move(endpoint)), transport_(transport), context_(context) {}

  // Failures: of the transport; see send_briefly.
  Result<HttpAnswer> open_session() {
    HttpRequest request{.method = "PUT",
                        .url = endpoint_ + "/latest/api/token",
                        .headers = {{"x-aws-ec2-metadata-token-ttl-seconds", "300"}},
                        .body = {},
                        .no_proxy = true};
    auto answer = send_briefly(transport_, std::move(request), kInstanceTimeout, context_);
    if (answer && answer->status == 200) token_ = trimmed(as_text(answer->body.view()));
    return answer;
  }
  [[nodiscard]] bool has_session() const { return !token_.empty() && is_visible_ascii(token_); }

  Result<HttpAnswer> get(const std::string& path) {
    HttpRequest request{.method = "GET",
                        .url = endpoint_ + path,
                        .headers = {{"x-aws-ec2-metadata-token", token_}},
                        .body = {},
                        .no_proxy = true};
    return send_briefly(transport_, std::move(request), kInstanceTimeout, context_);
  }

 private:
  const std::string endpoint_;
  HttpTransport& transport_;
  const RequestContext& context_;
  std::string token_;
};

tl::unexpected<Error> refused(const HttpAnswer& answer) {
  return fail(is_passing_fault(answer.status) ? Errc::unavailable : Errc::permission_denied, "HTTP {}", answer.status);
}

// The role and its credentials, once there is a session.
LinkAnswer fetch_role(InstanceMetadata& metadata) {
  const auto roles = metadata.get(kRolesPath);
  if (!roles) return fail(roles.error());
  if (roles->status == 404) return NothingThere{"no role is attached to this instance"};
  if (roles->status != 200) return refused(*roles);
  const std::string_view names = trimmed(as_text(roles->body.view()));
  const std::string role(trimmed(names.substr(0, names.find('\n'))));
  if (!is_role_name(role)) return fail(Errc::corrupt, "its answer is no role's name");
  const auto answer = metadata.get(kRolesPath + role);
  if (!answer) return fail(answer.error());
  if (answer->status != 200) return refused(*answer);
  auto credentials = decode_metadata_credentials(answer->body.view());
  if (!credentials) return fail(std::move(credentials).error());
  return FoundCredentials{std::move(*credentials), fmt::format("instance role {}", role)};
}

// Most machines are no EC2 instance, and have nobody at that address: that is no failure.
LinkAnswer ask(const std::string& endpoint, HttpTransport& transport, const RequestContext& context) {
  InstanceMetadata metadata(endpoint, transport, context);
  const auto session = metadata.open_session();
  if (!session && session.error().code() == Errc::unavailable) {
    return NothingThere{
        fmt::format("{} cannot be reached (in a container on EC2, the instance's metadata options must "
                    "allow a hop limit of 2)",
                    endpoint)};
  }
  if (!session) return fail(session.error());
  if (session->status >= 400 && session->status < 500 && session->status != 429) {
    return NothingThere{fmt::format("{} offers no IMDSv2 (HTTP {})", endpoint, session->status)};
  }
  if (session->status != 200) return refused(*session);
  if (!metadata.has_session()) return fail(Errc::corrupt, "its answer is no session token");
  return fetch_role(metadata);
}

}  // namespace

LinkAnswer instance_link(const CredentialSearch& search) {
  if (is_disabled(search.settings.environment)) return NothingThere{"AWS_EC2_METADATA_DISABLED is true"};
  const std::string endpoint = endpoint_of(search.settings.environment);
  auto answer = ask(endpoint, search.transport, search.context);
  if (!answer) return fail(answer.error().in(fmt::format("instance metadata of {}", endpoint)));
  return answer;
}

}  // namespace cairn
