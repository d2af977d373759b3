#include "tests/unit/remote/credentials/credential_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <fstream>

namespace cairn {

void CredentialWorld::write(const std::string& name, const std::string& text) const {
  std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
  std::ofstream(path(name), std::ios::trunc) << text;
}

CredentialSettings CredentialWorld::options(const std::string& profile) const {
  CredentialEnvironment environment;
  environment.variable = [this](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  environment.home = home_.path().string();
  return {.profile = profile, .region = "eu-west-1", .environment = environment};
}

std::unique_ptr<CredentialChain> CredentialWorld::chain(const std::string& profile) {
  return std::make_unique<CredentialChain>(options(profile), http, clock);
}

Error CredentialWorld::failure(const std::string& profile) {
  const auto credentials = chain(profile)->credentials(test_context(), nullptr);
  if (credentials) {
    ADD_FAILURE() << "these credentials were not expected: " << credentials->access_key_id;
    return {Errc::io, ""};
  }
  EXPECT_THAT(credentials.error().message(), testing::Not(testing::HasSubstr(kSecretMark)));
  return credentials.error();
}

std::string CredentialWorld::in(std::chrono::seconds from_now) const {
  const auto time = static_cast<std::time_t>(clock.wall_now() / 1'000'000'000 + from_now.count());
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string CredentialWorld::json(const std::string& name, std::chrono::seconds lifetime) const {
  return fmt::format(R"({{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "{}-id", "SecretAccessKey": "{}-hush",
                         "Token": "{}-token-hush", "Expiration": "{}"}})",
                     name, name, name, in(lifetime));
}

std::string CredentialWorld::sts_xml(const std::string& name, std::chrono::seconds lifetime) const {
  return fmt::format(R"(<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>system:serviceaccount:train:default</SubjectFromWebIdentityToken>
    <Credentials>
      <SessionToken>{}-token-hush</SessionToken>
      <SecretAccessKey>{}-hush</SecretAccessKey>
      <Expiration>{}</Expiration>
      <AccessKeyId>{}-id</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>)",
                     name, name, in(lifetime), name);
}

void CredentialWorld::set_environment_keys(const std::string& name) {
  variables["AWS_ACCESS_KEY_ID"] = name + "-id";
  variables["AWS_SECRET_ACCESS_KEY"] = name + "-hush";
}

void CredentialWorld::set_web_identity(const std::string& name) {
  write("token", "jwt-hush\n");
  variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = path("token");
  variables["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/trainer";
  http.on("POST", kSts, 200, sts_xml(name));
}

void CredentialWorld::set_profile_keys(const std::string& profile, const std::string& name) const {
  write(".aws/credentials",
        fmt::format("[{}]\naws_access_key_id = {}-id\naws_secret_access_key = {}-hush\n", profile, name, name));
}

void CredentialWorld::set_container(const std::string& name) {
  variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/7";
  http.on("GET", kEcs, 200, json(name));
}

void CredentialWorld::set_instance(const std::string& name, const std::string& role) {
  http.on("PUT", kImdsToken, 200, "imds-hush");
  http.on("GET", kImdsRoles, 200, role);
  http.on("GET", kImdsRoles + role, 200, json(name));
}

}  // namespace cairn
