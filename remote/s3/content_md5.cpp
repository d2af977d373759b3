#include "remote/s3/content_md5.h"

#include <openssl/evp.h>

#include <array>

#include "base/check.h"

namespace cairn {

namespace {

std::string base64(ByteView bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

}  // namespace

std::string content_md5(ByteView body) {
  std::array<std::byte, 16> md5{};
  unsigned size = 0;
  const int done =
      ::EVP_Digest(body.data(), body.size(), reinterpret_cast<unsigned char*>(md5.data()), &size, ::EVP_md5(), nullptr);
  check(done == 1 && size == md5.size(), "OpenSSL has MD5");
  return base64(md5);
}

}  // namespace cairn
