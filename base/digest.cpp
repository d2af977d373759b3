#include "base/digest.h"

#include <openssl/sha.h>
#include <xxhash.h>

namespace cairn {

Digest sha256(ByteView bytes) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.bytes.data()));
  return digest;
}

Checksum xxh3_128(ByteView bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  Checksum checksum;
  std::memcpy(checksum.bytes.data(), canonical.digest, checksum.bytes.size());
  return checksum;
}

}  // namespace cairn
