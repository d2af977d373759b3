// A question to AWS's Security Token Service: for the credentials of a role.
// Source: "AssumeRole" and "AssumeRoleWithWebIdentity" of the AWS Security Token Service API Reference.
#pragma once

#include <string>

#include "remote/credentials/credential_links.h"
#include "remote/http/percent_encoding.h"

namespace cairn {

struct StsRequest {
  std::string operation;  // "AssumeRole"
  std::string role_arn;
  std::string session_name;    // empty: "cairnfs"
  QueryParameters parameters;  // of the operation's own; they go in the body, so that no URL holds a token
  const Credentials* signer;   // borrowed for the call; null: it is not signed
};

// Asks at AWS_ENDPOINT_URL_STS or the region's own endpoint. Failures: as CredentialsProvider says.
Result<Credentials> ask_sts(const StsRequest& request, const CredentialSearch& search);

}  // namespace cairn
