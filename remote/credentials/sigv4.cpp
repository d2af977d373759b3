#include "remote/credentials/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/ascii.h"
#include "base/check.h"
#include "base/digest.h"
#include "remote/http/percent_encoding.h"

namespace cairn {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

using Mac = std::array<std::byte, 32>;

Mac hmac_sha256(ByteView key, std::string_view message) {
  Mac mac;
  unsigned size = 0;
  const unsigned char* made = ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                     reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                                     reinterpret_cast<unsigned char*>(mac.data()), &size);
  check(made != nullptr && size == mac.size(), "OpenSSL has HMAC-SHA256");
  return mac;
}

std::string sha256_hex(std::string_view text) { return to_hex(sha256(as_bytes(text)).bytes); }

// "20130524T000000Z"
std::string timestamp(Nanos time) {
  const auto seconds = static_cast<std::time_t>(time / 1'000'000'000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts)};
}

// Lower-case names in order, and lines "name:value\n" of the same.
struct CanonicalHeaders {
  std::string names;
  std::string lines;
};

CanonicalHeaders canonical_headers(const RequestToSign& request) {
  std::vector<HttpHeader> sorted = request.headers;
  sorted.push_back({"host", request.host});
  for (HttpHeader& header : sorted) header.name = lower_case(header.name);
  std::ranges::sort(sorted, {}, &HttpHeader::name);
  CanonicalHeaders canonical;
  for (const HttpHeader& header : sorted) {
    canonical.names += (canonical.names.empty() ? "" : ";") + header.name;
    canonical.lines += header.name + ":" + header.value + "\n";
  }
  return canonical;
}

Mac signing_key(const std::string& secret, std::string_view date, const SigningScope& scope) {
  Mac key = hmac_sha256(as_bytes("AWS4" + secret), date);
  for (const std::string_view part :
       {std::string_view(scope.region), std::string_view(scope.service), std::string_view("aws4_request")}) {
    key = hmac_sha256(key, part);
  }
  return key;
}

}  // namespace

std::vector<HttpHeader> sign(RequestToSign request, const SigningScope& scope, const Credentials& credentials,
                             Nanos time) {
  const std::string now = timestamp(time);
  const std::string date = now.substr(0, 8);
  request.headers.push_back({"x-amz-date", now});
  request.headers.push_back({"x-amz-content-sha256", request.payload_sha256});
  if (!credentials.session_token.empty()) {
    request.headers.push_back({"x-amz-security-token", credentials.session_token});
  }
  const CanonicalHeaders headers = canonical_headers(request);
  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, percent_encode(request.path, true),
                  canonical_query(request.query), headers.lines, headers.names, request.payload_sha256);
  const std::string credential_scope = fmt::format("{}/{}/{}/aws4_request", date, scope.region, scope.service);
  const std::string to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, now, credential_scope, sha256_hex(canonical));
  const Mac signature = hmac_sha256(signing_key(credentials.secret_access_key, date, scope), to_sign);
  request.headers.push_back(
      {"Authorization", fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", kAlgorithm,
                                    credentials.access_key_id, credential_scope, headers.names, to_hex(signature))});
  return std::move(request.headers);
}

}  // namespace cairn
