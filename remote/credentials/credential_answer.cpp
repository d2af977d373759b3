#include "remote/credentials/credential_answer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "base/ascii.h"
#include "remote/credentials/settings_text.h"

namespace cairn {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int number_at(std::string_view text, size_t position, size_t digits) {
  int number = 0;
  std::from_chars(text.data() + position, text.data() + position + digits, number);
  return number;
}

// "dddd-dd-ddTdd:dd:dd" in front.
bool has_time_shape(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < kShape.size()) return false;
  return std::ranges::equal(kShape, text.substr(0, kShape.size()),
                            [](char shape, char c) { return shape == 'd' ? is_digit(c) : shape == c; });
}

// Of what follows the seconds, "Z", ".123Z", "+01:30" or "UTC": how far local time is ahead. nullopt: anything else.
std::optional<std::chrono::minutes> offset_in(std::string_view text) {
  if (text.starts_with('.')) {
    const size_t end = text.find_first_not_of("0123456789", 1);
    if (end == 1 || end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end);
  }
  if (text == "Z" || text == "UTC") return std::chrono::minutes(0);
  constexpr std::string_view kShape = "sdd:dd";
  const bool is_offset = std::ranges::equal(kShape, text, [](char shape, char c) {
    return shape == 's' ? c == '+' || c == '-' : shape == 'd' ? is_digit(c) : shape == c;
  });
  if (!is_offset) return std::nullopt;
  const int hours = number_at(text, 1, 2);
  const int minutes = number_at(text, 4, 2);
  if (hours > 23 || minutes > 59) return std::nullopt;
  return std::chrono::minutes((hours * 60 + minutes) * (text.front() == '-' ? -1 : 1));
}

// Only what looks like a word of the protocol is passed on: an answer must not put other text into our messages.
std::string as_code(std::string_view text) {
  constexpr size_t kLongest = 64;
  const bool plain = text.size() <= kLongest && std::ranges::all_of(text, [](char c) {
                       return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.';
                     });
  return plain ? std::string(text) : "";
}

Result<std::optional<Nanos>> decode_expiration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto expires = parse_time(text);
  if (!expires) return fail(Errc::corrupt, "its expiration is not a time");
  return expires;
}

struct CredentialTexts {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;
  std::string expiration;
};

Result<Credentials> checked(CredentialTexts texts) {
  if (texts.access_key_id.empty() || texts.secret_access_key.empty()) {
    return fail(Errc::corrupt, "an access key id or its secret is missing in it");
  }
  for (const std::string* text : {&texts.access_key_id, &texts.secret_access_key, &texts.session_token}) {
    if (!is_visible_ascii(*text)) return fail(Errc::corrupt, "a key in it holds characters that no key has");
  }
  auto expires = decode_expiration(texts.expiration);
  if (!expires) return fail(std::move(expires).error());
  return Credentials{std::move(texts.access_key_id), std::move(texts.secret_access_key), std::move(texts.session_token),
                     *expires};
}

// The member as text; empty if it is missing, null or anything else.
std::string text_of(const nlohmann::json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

bool is_absent_or_text(const nlohmann::json& object, const char* name) {
  const auto member = object.find(name);
  return member == object.end() || member->is_null() || member->is_string();
}

pugi::xml_parse_result parse_xml(pugi::xml_document& document, ByteView xml) {
  return document.load_buffer(xml.data(), xml.size());
}

}  // namespace

std::optional<Nanos> parse_time(std::string_view text) {
  constexpr size_t kSecondsEnd = 19;
  if (!has_time_shape(text)) return std::nullopt;
  const auto offset = offset_in(text.substr(kSecondsEnd));
  if (!offset) return std::nullopt;
  const std::chrono::year_month_day day(std::chrono::year(number_at(text, 0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number_at(text, 5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number_at(text, 8, 2))));
  const int hour = number_at(text, 11, 2);
  const int minute = number_at(text, 14, 2);
  const int second = number_at(text, 17, 2);
  if (!day.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  // What nanoseconds of 64 bits can count.
  if (day.year() < std::chrono::year(1678) || day.year() > std::chrono::year(2261)) return std::nullopt;
  const auto time = std::chrono::sys_days(day) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                    std::chrono::seconds(second) - *offset;
  return std::chrono::nanoseconds(time.time_since_epoch()).count();
}

Result<Credentials> decode_metadata_credentials(ByteView json) {
  const std::string_view text = as_text(json);
  const nlohmann::json answer = nlohmann::json::parse(text, nullptr, false);
  if (!answer.is_object()) return fail(Errc::corrupt, "its answer is not a JSON object");
  const std::string code = text_of(answer, "Code");
  if (!code.empty() && code != "Success") {
    return fail(Errc::permission_denied, "it hands out no credentials ({})", as_code(code));
  }
  if (!is_absent_or_text(answer, "Expiration")) return fail(Errc::corrupt, "its expiration is not a time");
  return checked({text_of(answer, "AccessKeyId"), text_of(answer, "SecretAccessKey"), text_of(answer, "Token"),
                  text_of(answer, "Expiration")});
}

Result<Credentials> decode_process_credentials(std::string_view json) {
  const nlohmann::json answer = nlohmann::json::parse(json, nullptr, false);
  if (!answer.is_object()) return fail(Errc::corrupt, "what it prints is not a JSON object");
  const auto version = answer.find("Version");
  if (version == answer.end() || *version != 1) return fail(Errc::corrupt, "what it prints is not of Version 1");
  if (!is_absent_or_text(answer, "Expiration")) return fail(Errc::corrupt, "its expiration is not a time");
  return checked({text_of(answer, "AccessKeyId"), text_of(answer, "SecretAccessKey"), text_of(answer, "SessionToken"),
                  text_of(answer, "Expiration")});
}

Result<Credentials> decode_sso_credentials(ByteView json) {
  const nlohmann::json answer = nlohmann::json::parse(as_text(json), nullptr, false);
  if (!answer.is_object()) return fail(Errc::corrupt, "its answer is not a JSON object");
  const auto found = answer.find("roleCredentials");
  if (found == answer.end() || !found->is_object()) return fail(Errc::corrupt, "its answer holds no credentials");
  auto credentials = checked(
      {text_of(*found, "accessKeyId"), text_of(*found, "secretAccessKey"), text_of(*found, "sessionToken"), {}});
  if (!credentials) return credentials;
  constexpr int64_t kNanosPerMilli = 1'000'000;
  const auto expiration = found->find("expiration");  // milliseconds since 1970
  const bool is_time = expiration != found->end() && expiration->is_number_integer() &&
                       expiration->get<int64_t>() >= 0 &&
                       expiration->get<int64_t>() < std::numeric_limits<int64_t>::max() / kNanosPerMilli;
  if (!is_time) return fail(Errc::corrupt, "its expiration is not a time");
  credentials->expires = expiration->get<int64_t>() * kNanosPerMilli;
  return credentials;
}

Result<SsoToken> decode_sso_token(std::string_view json) {
  const nlohmann::json file = nlohmann::json::parse(json, nullptr, false);
  if (!file.is_object()) return fail(Errc::corrupt, "it is not a JSON object");
  SsoToken token{.access_token = text_of(file, "accessToken"), .expires = 0};
  const auto expires = parse_time(text_of(file, "expiresAt"));
  if (token.access_token.empty() || !is_visible_ascii(token.access_token) || !expires) {
    return fail(Errc::corrupt, "it holds no token with an end");
  }
  token.expires = *expires;
  return token;
}

Result<Credentials> decode_sts_credentials(ByteView xml, const std::string& operation) {
  pugi::xml_document document;
  if (!parse_xml(document, xml)) return fail(Errc::corrupt, "its answer is not XML");
  const pugi::xml_node found =
      document.child((operation + "Response").c_str()).child((operation + "Result").c_str()).child("Credentials");
  if (!found) return fail(Errc::corrupt, "its answer holds no credentials");
  const auto text = [&](const char* name) { return std::string(trimmed(found.child_value(name))); };
  return checked({text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken"), text("Expiration")});
}

std::string decode_sts_error_code(ByteView xml) {
  pugi::xml_document document;
  if (!parse_xml(document, xml)) return {};
  const pugi::xml_node response = document.child("ErrorResponse");
  return as_code(trimmed((response ? response : document).child("Error").child_value("Code")));
}

}  // namespace cairn
