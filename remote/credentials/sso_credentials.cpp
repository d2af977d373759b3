#include <openssl/evp.h>

#include <array>

#include "base/ascii.h"
#include "base/check.h"
#include "remote/credentials/aws_host.h"
#include "remote/credentials/credential_answer.h"
#include "remote/credentials/metadata_request.h"
#include "remote/credentials/profile_sources.h"
#include "remote/credentials/settings_text.h"
#include "remote/http/percent_encoding.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kPortalTimeout{10};

struct SsoSettings {
  std::string region;
  std::string account_id;
  std::string role_name;
  std::string cache_key;  // what the token's file is named after: the session's name, or the start URL
};

std::string sha1_hex(std::string_view text) {
  std::array<std::byte, 20> sha1{};
  unsigned size = 0;
  const int done = ::EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(sha1.data()), &size,
                                ::EVP_sha1(), nullptr);
  check(done == 1 && size == sha1.size(), "OpenSSL has SHA-1");
  return to_hex(sha1);
}

std::string login_of(const SharedProfile& profile) {
  return fmt::format("run `aws sso login --profile {}`", profile.name);
}

Result<void> take_session(const SharedProfile& profile, const CredentialSearch& search, SsoSettings& sso) {
  const std::string name = profile.get("sso_session");
  auto section = load_sso_session(name, search.settings.environment);
  if (!section) return fail(std::move(section).error());
  if (!*section) {
    return fail(Errc::invalid_argument, "it names sso_session '{}', but no section [sso-session {}] is in {}", name,
                name, profile.parts[1].path);
  }
  sso.region = (**section)["sso_region"];
  sso.cache_key = name;
  return {};
}

Result<SsoSettings> sso_settings(const SharedProfile& profile, const CredentialSearch& search) {
  SsoSettings sso{.region = profile.get("sso_region"),
                  .account_id = profile.get("sso_account_id"),
                  .role_name = profile.get("sso_role_name"),
                  .cache_key = profile.get("sso_start_url")};
  if (profile.part_with("sso_session") != nullptr) {
    if (auto taken = take_session(profile, search, sso); !taken) return fail(std::move(taken).error());
  }
  if (sso.account_id.empty()) return fail(Errc::invalid_argument, "it signs in by SSO, but sets no sso_account_id");
  if (sso.role_name.empty()) return fail(Errc::invalid_argument, "it signs in by SSO, but sets no sso_role_name");
  if (!is_host_label(sso.region)) return fail(Errc::invalid_argument, "its sso_region is missing or no region's name");
  return sso;
}

Result<SsoToken> load_sso_token(const SsoSettings& sso, const SharedProfile& profile, const CredentialSearch& search) {
  const std::string path =
      search.settings.environment.home_path(fmt::format(".aws/sso/cache/{}.json", sha1_hex(sso.cache_key)));
  if (path.empty()) return fail(Errc::invalid_argument, "there is no home directory, where its SSO token would be");
  const auto text = load_settings_file(path);
  if (!text) return fail(text.error());
  if (!*text) return fail(Errc::permission_denied, "nobody has signed in by SSO ({}): {}", path, login_of(profile));
  auto token = decode_sso_token(**text);
  if (!token) return fail(token.error().in(fmt::format("{}: {}", login_of(profile), path)));
  if (token->expires <= search.clock.wall_now()) {
    return fail(Errc::permission_denied, "the SSO token of {} has expired: {}", path, login_of(profile));
  }
  return token;
}

Result<Credentials> decode_answer(const HttpAnswer& answer, const SsoSettings& sso, const SharedProfile& profile) {
  if (answer.status == 200) return decode_sso_credentials(answer.body.view());
  if (is_passing_fault(answer.status)) return fail(Errc::unavailable, "HTTP {}", answer.status);
  if (answer.status == 401) {
    return fail(Errc::permission_denied, "HTTP 401: the SSO token is not accepted: {}", login_of(profile));
  }
  return fail(Errc::permission_denied, "HTTP {}: has this user the role '{}' in account '{}'?", answer.status,
              printable(sso.role_name), printable(sso.account_id));
}

Result<Credentials> ask_portal(const SharedProfile& profile, const CredentialSearch& search) {
  const auto sso = sso_settings(profile, search);
  if (!sso) return fail(sso.error());
  const auto token = load_sso_token(*sso, profile, search);
  if (!token) return fail(token.error());
  const std::string host = aws_host("portal.sso", sso->region);
  const std::string query = canonical_query({{"account_id", sso->account_id}, {"role_name", sso->role_name}});
  HttpRequest request{.method = "GET",
                      .url = fmt::format("https://{}/federation/credentials?{}", host, query),
                      .headers = {{"x-amz-sso_bearer_token", token->access_token}, {"accept", "application/json"}},
                      .body = {}};
  auto answer = send_briefly(search.transport, std::move(request), kPortalTimeout, search.context);
  if (!answer) return fail(answer.error().in(host));
  auto credentials = decode_answer(*answer, *sso, profile);
  if (!credentials) return fail(credentials.error().in(host));
  return credentials;
}

}  // namespace

Result<Credentials> fetch_sso_credentials(const SharedProfile& profile, const CredentialSearch& search) {
  auto credentials = ask_portal(profile, search);
  if (credentials) return credentials;
  const bool has_session = profile.part_with("sso_session") != nullptr;
  return fail(credentials.error().in(profile.with(has_session ? "sso_session" : "sso_start_url")));
}

}  // namespace cairn
