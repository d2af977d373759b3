#include "remote/credentials/credential_answer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
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

// "Z" or ".123Z".
bool is_utc_ending(std::string_view text) {
  if (text.empty() || text.back() != 'Z') return false;
  text.remove_suffix(1);
  if (text.empty()) return true;
  return text.front() == '.' && text.size() > 1 && std::ranges::all_of(text.substr(1), is_digit);
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
  const auto expires = parse_utc_time(text);
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

std::optional<Nanos> parse_utc_time(std::string_view text) {
  constexpr size_t kSecondsEnd = 19;
  if (!has_time_shape(text) || !is_utc_ending(text.substr(kSecondsEnd))) return std::nullopt;
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
                    std::chrono::seconds(second);
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

Result<Credentials> decode_sts_credentials(ByteView xml) {
  pugi::xml_document document;
  if (!parse_xml(document, xml)) return fail(Errc::corrupt, "its answer is not XML");
  const pugi::xml_node found =
      document.child("AssumeRoleWithWebIdentityResponse").child("AssumeRoleWithWebIdentityResult").child("Credentials");
  if (!found) return fail(Errc::corrupt, "its answer holds no credentials");
  const auto text = [&](const char* name) { return std::string(trimmed(found.child_value(name))); };
  return checked({text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken"), text("Expiration")});
}

std::string decode_sts_error_code(ByteView xml) {
  pugi::xml_document document;
  if (!parse_xml(document, xml)) return {};
  return as_code(trimmed(document.child("ErrorResponse").child("Error").child_value("Code")));
}

}  // namespace cairn
