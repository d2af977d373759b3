#include "remote/s3/s3_answer.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <pugixml.hpp>
#include <sstream>

#include "remote/http/percent_encoding.h"

namespace cairn {

namespace {

constexpr size_t kLongestMessage = 200;

// A stranger's words, fit for a log line.
std::string tame(std::string_view text) {
  std::string tamed(text.substr(0, kLongestMessage));
  std::ranges::replace_if(
      tamed, [](char c) { return c < ' ' || c > '~'; }, ' ');
  return tamed;
}

// pugixml expands no entity but the five of XML itself and reads no DTD: there is nothing in it for a bomb to use.
bool parse(ByteView xml, pugi::xml_document& document) {
  return static_cast<bool>(document.load_buffer(xml.data(), xml.size(), pugi::parse_minimal | pugi::parse_escapes));
}

Error not_an_answer(std::string_view operation) {
  return {Errc::unavailable, fmt::format("what came back is no answer to {}; is the endpoint right?", operation)};
}

// A key in a listing with encoding-type=url. Empty: malformed.
std::string decoded_key(std::string key) {
  std::ranges::replace(key, '+', ' ');
  return percent_decode(key).value_or("");
}

Result<ObjectInfo> parse_object(const pugi::xml_node& node, bool is_encoded) {
  ObjectInfo object;
  object.key = node.child_value("Key");
  if (is_encoded) object.key = decoded_key(std::move(object.key));
  const std::string_view size = node.child_value("Size");
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.size_bytes);
  if (object.key.empty() || error != std::errc() || end != size.data() + size.size()) {
    return fail(not_an_answer("ListObjectsV2"));
  }
  return object;
}

Errc code_of_status(int status) {
  switch (status) {
    case 403:
    case 401: return Errc::permission_denied;
    case 404: return Errc::not_found;
    case 405:
    case 501: return Errc::unsupported;
    case 408:
    case 409:
    case 425:
    case 429: return Errc::unavailable;
    case 412: return Errc::already_exists;
    case 507: return Errc::no_space;
    default: return status >= 500 ? Errc::unavailable : Errc::invalid_argument;
  }
}

// Of a web server, a proxy or a load balancer whose backend is away: it knows nothing of objects, so that its "not
// found" must not count as the absence of one.
Error foreign_answer(Errc code, std::string_view message) {
  const bool tells_of_objects = code == Errc::not_found || code == Errc::unsupported;
  return {tells_of_objects ? Errc::unavailable : code,
          fmt::format("{}, but not from S3: is the endpoint right?", message)};
}

struct Verdict {
  std::string_view code;
  Errc errc;
  std::string_view advice;
};

// What the status alone would get wrong, and what an engineer wants to be told.
constexpr Verdict kVerdicts[] = {
    {"NoSuchBucket", Errc::invalid_argument, "the bucket does not exist at this endpoint: make it first"},
    {"AccessDenied", Errc::permission_denied,
     "these credentials may not do that (needed: s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket; "
     "without s3:ListBucket a missing object is told as this, too; where a key of KMS encrypts: kms:GenerateDataKey "
     "and "
     "kms:Decrypt; where the requester pays: requester-pays=true)"},
    {"SignatureDoesNotMatch", Errc::permission_denied, "the secret key does not belong to the access key"},
    {"InvalidAccessKeyId", Errc::permission_denied, "the endpoint does not know this access key"},
    {"ExpiredToken", Errc::permission_denied, "the session token has expired and no newer one was found"},
    {"InvalidToken", Errc::permission_denied, "the endpoint does not accept this session token"},
    {"RequestTimeTooSkewed", Errc::unavailable, "this host's clock differs too much from the endpoint's"},
    {"RequestTimeout", Errc::unavailable, ""},
    {"SlowDown", Errc::unavailable, "the endpoint asks for fewer requests"},
    {"IncompleteBody", Errc::unavailable, ""},
    {"BadDigest", Errc::unavailable, "the upload was damaged on its way"},
    {"XAmzContentSHA256Mismatch", Errc::unavailable, "the upload was damaged on its way"},
    {"QuotaExceeded", Errc::no_space, "the bucket's or user's quota is full"},
    {"InsufficientStorage", Errc::no_space, ""},
    {"XMinioStorageFull", Errc::no_space, ""},
    {"InvalidObjectState", Errc::unsupported, "the object is in an archive: restore it first"},
    {"NotImplemented", Errc::unsupported, ""},
};

}  // namespace

S3Complaint parse_complaint(const HttpAnswer& answer) {
  S3Complaint complaint;
  if (const auto region = answer.header("x-amz-bucket-region")) complaint.region = tame(*region);
  pugi::xml_document document;
  if (!parse(answer.body.view(), document)) return complaint;
  const pugi::xml_node error = document.child("Error");
  complaint.code = tame(error.child_value("Code"));
  complaint.message = tame(error.child_value("Message"));
  if (complaint.region.empty()) complaint.region = tame(error.child_value("Region"));
  return complaint;
}

Error error_of(const HttpAnswer& answer, const S3Complaint& complaint) {
  std::string message = fmt::format("HTTP {}", answer.status);
  if (!complaint.code.empty()) message += " " + complaint.code;
  const auto verdict = std::ranges::find(kVerdicts, complaint.code, &Verdict::code);
  if (verdict != std::end(kVerdicts)) {
    const std::string_view advice = verdict->advice.empty() ? std::string_view(complaint.message) : verdict->advice;
    return {verdict->errc, advice.empty() ? message : fmt::format("{}: {}", message, advice)};
  }
  if (answer.status >= 300 && answer.status < 400) {
    const std::string region = complaint.region.empty() ? "another one" : complaint.region;
    return {Errc::invalid_argument, fmt::format("{}: the bucket is elsewhere: region={}?", message, region)};
  }
  if (!complaint.message.empty()) message += ": " + complaint.message;
  const Errc code = code_of_status(answer.status);
  if (complaint.code.empty() && !answer.body.empty()) return foreign_answer(code, message);
  return {code, std::move(message)};
}

Result<S3Listing> parse_listing(ByteView xml) {
  pugi::xml_document document;
  const bool is_xml = parse(xml, document);
  const pugi::xml_node result = document.child("ListBucketResult");
  if (!is_xml || !result) return fail(not_an_answer("ListObjectsV2"));
  S3Listing listing;
  const bool is_encoded = std::string_view(result.child_value("EncodingType")) == "url";
  for (const pugi::xml_node& node : result.children("Contents")) {
    auto object = parse_object(node, is_encoded);
    if (!object) return fail(std::move(object).error());
    listing.page.objects.push_back(std::move(*object));
  }
  listing.page.more = std::string_view(result.child_value("IsTruncated")) == "true";
  listing.continuation = result.child_value("NextContinuationToken");
  return listing;
}

std::optional<Nanos> parse_http_date(std::string_view text) {
  std::tm parts{};
  const char* end = ::strptime(std::string(text).c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr) return std::nullopt;
  return static_cast<Nanos>(::timegm(&parts)) * 1'000'000'000;
}

std::string deletion_request(const std::vector<std::string>& keys) {
  pugi::xml_document document;
  pugi::xml_node request = document.append_child("Delete");
  for (const std::string& key : keys) {
    request.append_child("Object").append_child("Key").text().set(key.c_str());
  }
  request.append_child("Quiet").text().set("true");
  std::ostringstream text;
  document.save(text, "", pugi::format_raw);
  return text.str();
}

Result<void> parse_deletion(ByteView xml) {
  pugi::xml_document document;
  const bool is_xml = parse(xml, document);
  const pugi::xml_node result = document.child("DeleteResult");
  if (!is_xml || !result) return fail(not_an_answer("DeleteObjects"));
  for (const pugi::xml_node& node : result.children("Error")) {
    const std::string code = tame(node.child_value("Code"));
    if (code == "NoSuchKey") continue;
    const auto verdict = std::ranges::find(kVerdicts, code, &Verdict::code);
    const Errc errc = verdict == std::end(kVerdicts) ? Errc::unavailable : verdict->errc;
    return fail(errc, "{}: {}: {}", tame(node.child_value("Key")), code, tame(node.child_value("Message")));
  }
  return {};
}

}  // namespace cairn
