// The Content-MD5 header (RFC 1864): of what some requests carry, besides the signature's own SHA-256.
#pragma once

#include <string>

#include "base/bytes.h"

namespace cairn {

// In base64.
std::string content_md5(ByteView body);

}  // namespace cairn
