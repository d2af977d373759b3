#include "remote/credentials/aws_profile.h"

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "remote/credentials/settings_text.h"

namespace cairn {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view without_comment(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i) {
    if ((line[i] == '#' || line[i] == ';') && (i == 0 || is_blank(line[i - 1]))) return line.substr(0, i);
  }
  return line;
}

std::string_view unquoted(std::string_view name) {
  const bool quoted = name.size() >= 2 && (name.front() == '"' || name.front() == '\'') && name.back() == name.front();
  return quoted ? name.substr(1, name.size() - 2) : name;
}

// Reads one file, line by line.
class ProfileParser {
 public:
  explicit ProfileParser(AwsFileKind kind) : kind_(kind) {}

  // What is wrong with the line; empty: nothing is.
  std::string_view take(std::string_view line) {
    const std::string_view text = trimmed(without_comment(line));
    if (text.empty()) return {};
    const auto indent = static_cast<size_t>(std::ranges::find_if_not(line, is_blank) - line.begin());
    if (key_indent_ && indent > *key_indent_) return {};
    return text.front() == '[' ? take_section(text) : take_key(text, indent);
  }

  // A section "[profile default]" of config hides one "[default]".
  AwsProfiles finish() {
    if (kind_ == AwsFileKind::config && profiles_.contains(kPrefixedDefault)) {
      profiles_["default"] = std::move(profiles_[kPrefixedDefault]);
      profiles_.erase(kPrefixedDefault);
    }
    return std::move(profiles_);
  }

 private:
  std::string_view take_section(std::string_view text) {
    if (text.back() != ']') return "a section without ']'";
    key_indent_.reset();
    const auto name = profile_of(trimmed(text.substr(1, text.size() - 2)));
    section_ = name ? &profiles_[*name] : &no_profile_;
    return {};
  }

  std::string_view take_key(std::string_view text, size_t indent) {
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) return "neither '[section]' nor 'key = value'";
    if (section_ == nullptr) return "a key before the first '[section]'";
    const std::string key = lower_case(trimmed(text.substr(0, equals)));
    if (key.empty()) return "a value without a key";
    key_indent_ = indent;
    (*section_)[key] = trimmed(text.substr(equals + 1));
    return {};
  }

  // nullopt: the section is of another kind ("[services x]").
  [[nodiscard]] std::optional<std::string> profile_of(std::string_view heading) const {
    const std::string_view word = kind_ == AwsFileKind::config ? "profile" : "sso-session";
    if (kind_ == AwsFileKind::credentials) return std::string(unquoted(heading));
    if (kind_ == AwsFileKind::config && heading == "default") return "default";
    if (!heading.starts_with(word) || heading.size() == word.size()) return std::nullopt;
    if (!is_blank(heading[word.size()])) return std::nullopt;
    std::string name(unquoted(trimmed(heading.substr(word.size()))));
    return kind_ == AwsFileKind::config && name == "default" ? kPrefixedDefault : name;
  }

  // A name that no heading has: headings are trimmed.
  inline static const std::string kPrefixedDefault = " default";

  const AwsFileKind kind_;
  AwsProfiles profiles_;
  AwsSettings no_profile_;            // keys of sections that are none
  AwsSettings* section_ = nullptr;    // in profiles_, or no_profile_
  std::optional<size_t> key_indent_;  // of the section's last key
};

}  // namespace

Result<AwsProfiles> parse_aws_profiles(std::string_view text, AwsFileKind kind, const std::string& path) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  ProfileParser parser(kind);
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view wrong = parser.take(text.substr(0, end));
    if (!wrong.empty()) return fail(Errc::invalid_argument, "{} line {}: {}", path, number, wrong);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parser.finish();
}

Result<AwsProfiles> load_aws_profiles(const std::string& path, AwsFileKind kind) {
  auto text = load_settings_file(path);
  if (!text) return fail(std::move(text).error());
  if (!*text) return AwsProfiles{};
  return parse_aws_profiles(**text, kind, path);
}

}  // namespace cairn
