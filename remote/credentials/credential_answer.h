// Temporary credentials in the answers of the services that hand them out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "remote/credentials/credentials.h"

namespace cairn {

// "2026-01-01T00:15:00Z", or with an offset ("+01:00") for the Z, or with "UTC", which older tools write; with or
// without a fraction of a second, which is cut off. nullopt: anything else.
std::optional<Nanos> parse_time(std::string_view text);

// The JSON of container and instance metadata. Failures: corrupt; permission_denied if it holds a Code but "Success".
// No message quotes the answer.
Result<Credentials> decode_metadata_credentials(ByteView json);

// What a credential_process prints: JSON of Version 1. Failures: corrupt. No message quotes it.
Result<Credentials> decode_process_credentials(std::string_view json);

// The JSON of SSO's GetRoleCredentials. Failures: corrupt. No message quotes the answer.
Result<Credentials> decode_sso_credentials(ByteView json);

// What `aws sso login` leaves in a file.
struct SsoToken {
  std::string access_token;
  Nanos expires = 0;  // wall time
};

// Failures: corrupt. No message quotes it.
Result<SsoToken> decode_sso_token(std::string_view json);

// The XML of that operation of STS ("AssumeRole"). Failures: corrupt. No message quotes the answer.
Result<Credentials> decode_sts_credentials(ByteView xml, const std::string& operation);

// The Code in an error answer of STS ("AccessDenied"); empty if there is none.
std::string decode_sts_error_code(ByteView xml);

}  // namespace cairn
