#include "remote/object_rules.h"

#include <algorithm>

#include "base/units.h"

namespace cairn {

namespace {

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

// Whether a component can begin like this; unlike a whole one it may be empty, "." or "..".
bool begins_key_component(std::string_view text) {
  return text.size() <= kMaxKeyComponentBytes && std::all_of(text.begin(), text.end(), is_key_character);
}

// All components before the last slash are whole ones.
bool has_whole_folders(std::string_view text) {
  for (size_t slash = text.find('/'); slash != std::string_view::npos; slash = text.find('/')) {
    if (!is_key_component(text.substr(0, slash))) return false;
    text.remove_prefix(slash + 1);
  }
  return true;
}

std::string_view after_last_slash(std::string_view text) { return text.substr(text.rfind('/') + 1); }

}  // namespace

bool is_key_component(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && begins_key_component(name);
}

Result<void> check_key(std::string_view key) {
  if (key.size() <= kMaxKeyBytes && has_whole_folders(key) && is_key_component(after_last_slash(key))) return {};
  return fail(Errc::invalid_argument, "'{}' is no object key: names of [A-Za-z0-9._-] joined by '/', at most {} bytes",
              key.substr(0, kMaxKeyComponentBytes), kMaxKeyBytes);
}

Result<void> check_keys(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (auto valid = check_key(key); !valid) return valid;
  }
  return {};
}

std::string what_is_removed(const std::vector<std::string>& keys) {
  if (keys.empty()) return "remove nothing";
  return keys.size() == 1 ? "remove " + keys.front()
                          : fmt::format("remove {} and {} others", keys.front(), keys.size() - 1);
}

Result<void> check_list(std::string_view prefix, size_t limit) {
  if (limit == 0) return fail(Errc::invalid_argument, "a page of a listing holds at least one object");
  if (prefix.size() <= kMaxKeyBytes && has_whole_folders(prefix) && begins_key_component(after_last_slash(prefix))) {
    return {};
  }
  return fail(Errc::invalid_argument, "no object key begins with '{}'", prefix.substr(0, kMaxKeyComponentBytes));
}

Result<void> check_put(std::string_view key, ByteView bytes) {
  if (auto valid = check_key(key); !valid) return valid;
  if (bytes.size() <= kMaxObjectBytes) return {};
  return fail(Errc::invalid_argument, "{} bytes are more than an object may hold ({})", bytes.size(), kMaxObjectBytes);
}

Result<void> check_answer(uint64_t size_bytes, const ByteRange& range) {
  if (size_bytes <= range.most_bytes) return {};
  return fail(Errc::corrupt, "an object of {} where at most {} can be right", human_bytes(size_bytes),
              human_bytes(range.most_bytes));
}

}  // namespace cairn
