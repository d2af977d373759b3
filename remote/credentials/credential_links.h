// The links of the credential chain: one function for each source of credentials.
#pragma once

#include <string>
#include <variant>

#include "remote/credentials/credential_environment.h"
#include "remote/credentials/credentials.h"
#include "remote/http/http_transport.h"

namespace cairn {

struct FoundCredentials {
  Credentials credentials;
  std::string source;  // "profile 'training' of /root/.aws/credentials"
};

// The link is not set up, so the chain goes on.
struct NothingThere {
  std::string why;  // "AWS_ACCESS_KEY_ID is not set"
};

// What every link looks with; borrowed for the call.
struct CredentialSearch {
  const CredentialSettings& settings;
  HttpTransport& transport;
  const Clock& clock;
  const RequestContext& context;
};

// Failures: the link is set up, but does not give credentials; the chain ends with it. As CredentialsProvider says. No
// message holds a key, a token or text of an answer.
using LinkAnswer = Result<std::variant<FoundCredentials, NothingThere>>;

using CredentialLink = LinkAnswer (*)(const CredentialSearch& search);

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
LinkAnswer environment_link(const CredentialSearch& search);

// AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME; AWS_ENDPOINT_URL_STS.
LinkAnswer web_identity_link(const CredentialSearch& search);

// AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE, AWS_PROFILE. A role that the profile names is meant, whatever else it
// holds; then keys, of which those of the credentials file count first, and the ones of a file belong together; then
// its SSO session; then its credential_process.
LinkAnswer profile_link(const CredentialSearch& search);

// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI; AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or _TOKEN.
LinkAnswer container_link(const CredentialSearch& search);

// The role of the EC2 instance, by IMDSv2. AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT.
LinkAnswer instance_link(const CredentialSearch& search);

// Keys that a person or program wrote down; invalid_argument, in words of `where`, unless they can be keys.
Result<Credentials> written_credentials(Credentials credentials, const std::string& where);

}  // namespace cairn
