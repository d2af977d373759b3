// Temporary credentials in the answers of the services that hand them out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "remote/credentials/credentials.h"

namespace cairn {

// "2026-01-01T00:15:00Z", with or without a fraction of a second, which is cut off. nullopt: anything else.
std::optional<Nanos> parse_utc_time(std::string_view text);

// The JSON of container and instance metadata. Failures: corrupt; permission_denied if it holds a Code but "Success".
// No message quotes the answer.
Result<Credentials> decode_metadata_credentials(ByteView json);

// The XML of STS AssumeRoleWithWebIdentity. Failures: corrupt. No message quotes the answer.
Result<Credentials> decode_sts_credentials(ByteView xml);

// The Code in an error answer of STS ("AccessDenied"); empty if there is none.
std::string decode_sts_error_code(ByteView xml);

}  // namespace cairn
