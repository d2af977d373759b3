// A role assumed with a token that somebody trusted keeps writing to a file: how pods on EKS get credentials.
// Source: "AssumeRoleWithWebIdentity" of the AWS Security Token Service API Reference.
#pragma once

#include <string>

#include "remote/credentials/credential_links.h"

namespace cairn {

struct WebIdentity {
  std::string token_file;
  std::string role_arn;
  std::string session_name;  // empty: "cairnfs"
};

// Asks STS, at AWS_ENDPOINT_URL_STS or the region's own endpoint. The token goes in the body, so that no URL holds it.
// Failures: as CredentialsProvider says.
Result<Credentials> assume_role(const WebIdentity& identity, const CredentialSearch& search);

}  // namespace cairn
