// What a profile can name besides keys: programs and sign-ins that give credentials.
#pragma once

#include "remote/credentials/credential_links.h"
#include "remote/credentials/shared_profile.h"

namespace cairn {

// Of a profile with credential_process: runs it, without a shell, for at most a minute.
// Source: "Process credential provider" of the AWS SDKs and Tools Reference Guide. Failures: as CredentialsProvider
// says.
Result<Credentials> run_credential_process(const SharedProfile& profile, const CredentialSearch& search);

// Of a profile with sso_session or sso_start_url: what the portal gives for the token that `aws sso login` has left in
// ~/.aws/sso/cache. The token is neither made nor renewed here.
// Source: "IAM Identity Center credential provider" of the same, and GetRoleCredentials of the portal's API reference.
// Failures: as CredentialsProvider says.
Result<Credentials> fetch_sso_credentials(const SharedProfile& profile, const CredentialSearch& search);

}  // namespace cairn
