#include "remote/s3/s3_terms.h"

#include <algorithm>
#include <array>

#include "remote/http/percent_encoding.h"

namespace cairn {

namespace {

constexpr std::array<std::string_view, 3> kEncryptions = {"AES256", "aws:kms", "aws:kms:dsse"};
// Those whose objects are read at once.
constexpr std::array<std::string_view, 6> kClasses = {"STANDARD",   "STANDARD_IA",         "ONEZONE_IA",
                                                      "GLACIER_IR", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY"};
constexpr std::array<std::string_view, 2> kArchives = {"GLACIER", "DEEP_ARCHIVE"};

// A key's id (a UUID at AWS, any name elsewhere), its ARN, or an alias.
bool is_key_id(std::string_view text) {
  constexpr size_t kLongest = 2048;
  constexpr std::string_view kAllowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz:/_-.=,@+";
  return !text.empty() && text.size() <= kLongest && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

Result<void> take_encryption(const S3Parameters& parameters, bool anonymous, S3Terms& terms) {
  auto encryption = parse_choice(parameters, "sse", kEncryptions);
  if (!encryption) return fail(std::move(encryption).error());
  terms.encryption = std::move(*encryption);
  const auto bucket_key = parse_truth(parameters, "sse-bucket-key");
  if (!bucket_key) return fail(bucket_key.error());
  terms.bucket_key = *bucket_key;
  const bool by_kms = terms.encryption.starts_with("aws:kms");
  if (by_kms && anonymous) return fail(Errc::invalid_argument, "sse: a key service serves no anonymous=true");
  if (terms.bucket_key && terms.encryption != "aws:kms") {
    return fail(Errc::invalid_argument, "sse-bucket-key: only with sse=aws:kms");
  }
  const auto key = parameters.find("sse-kms-key-id");
  if (key == parameters.end()) return {};
  if (!by_kms) return fail(Errc::invalid_argument, "sse-kms-key-id: only with sse=aws:kms or sse=aws:kms:dsse");
  if (!is_key_id(key->second)) {
    return fail(Errc::invalid_argument, "sse-kms-key-id: a key's id, its ARN, or alias/NAME");
  }
  terms.kms_key = key->second;
  return {};
}

Result<void> take_class(const S3Parameters& parameters, S3Terms& terms) {
  const auto given = parameters.find("storage-class");
  if (given != parameters.end() && std::ranges::find(kArchives, given->second) != kArchives.end()) {
    return fail(Errc::invalid_argument,
                "storage-class: objects in {} must be restored before they are read, so no store can work there; "
                "GLACIER_IR can be read at once",
                given->second);
  }
  auto storage_class = parse_choice(parameters, "storage-class", kClasses);
  if (!storage_class) return fail(std::move(storage_class).error());
  terms.storage_class = std::move(*storage_class);
  return {};
}

}  // namespace

std::vector<HttpHeader> S3Terms::request_headers() const {
  if (!requester_pays) return {};
  return {{"x-amz-request-payer", "requester"}};
}

std::vector<HttpHeader> S3Terms::object_headers() const {
  std::vector<HttpHeader> headers;
  if (!encryption.empty()) headers.push_back({"x-amz-server-side-encryption", encryption});
  if (!kms_key.empty()) headers.push_back({"x-amz-server-side-encryption-aws-kms-key-id", kms_key});
  if (bucket_key) headers.push_back({"x-amz-server-side-encryption-bucket-key-enabled", "true"});
  if (!storage_class.empty()) headers.push_back({"x-amz-storage-class", storage_class});
  return headers;
}

Result<void> S3Terms::check_kept(const HttpAnswer& answer) const {
  // Endpoints that do not encrypt take the header for any other.
  if (encryption.empty() || answer.header("x-amz-server-side-encryption") == encryption) return {};
  return fail(Errc::unsupported, "the endpoint took the object, but does not encrypt it as sse={} asks", encryption);
}

std::string S3Terms::parameters() const {
  std::string text;
  if (!encryption.empty()) text += "&sse=" + percent_encode(encryption, true);
  if (!kms_key.empty()) text += "&sse-kms-key-id=" + percent_encode(kms_key, true);
  if (bucket_key) text += "&sse-bucket-key=true";
  if (!storage_class.empty()) text += "&storage-class=" + storage_class;
  if (requester_pays) text += "&requester-pays=true";
  return text;
}

Result<S3Terms> parse_s3_terms(const S3Parameters& parameters, bool anonymous) {
  S3Terms terms;
  if (auto taken = take_encryption(parameters, anonymous, terms); !taken) return fail(std::move(taken).error());
  if (auto taken = take_class(parameters, terms); !taken) return fail(std::move(taken).error());
  const auto pays = parse_truth(parameters, "requester-pays");
  if (!pays) return fail(pays.error());
  if (*pays && anonymous) {
    return fail(Errc::invalid_argument, "requester-pays: with anonymous=true nobody could be charged");
  }
  terms.requester_pays = *pays;
  return terms;
}

}  // namespace cairn
