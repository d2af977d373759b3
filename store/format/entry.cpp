#include "store/format/entry.h"

#include <algorithm>

namespace cairn {

namespace {

constexpr size_t kMaxNameBytes = 255;

// The length of the well-formed UTF-8 sequence that `text` starts with, 0 if there is none.
size_t utf8_sequence(std::string_view text) {
  const auto at = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](size_t i) { return (at(i) & 0xC0) == 0x80; };
  const unsigned lead = at(0);
  const unsigned second = at(1);
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;  // a continuation, or an overlong form
  if (lead < 0xE0) return continues(1) ? 2 : 0;
  if (lead < 0xF0) {
    const bool overlong = lead == 0xE0 && second < 0xA0;
    const bool surrogate = lead == 0xED && second > 0x9F;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  const bool overlong = lead == 0xF0 && second < 0x90;
  const bool too_large = lead > 0xF4 || (lead == 0xF4 && second > 0x8F);
  return continues(1) && continues(2) && continues(3) && !overlong && !too_large ? 4 : 0;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool is_valid_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name == "." || name == "..") return false;
  return name.find('/') == name.npos && name.find('\0') == name.npos && is_valid_utf8(name);
}

VersionPtr empty_version(const Attributes& attributes, uint64_t session) {
  Version version;
  version.published = attributes.ctime;
  version.mtime = attributes.mtime;
  version.session = session;
  version.content = std::make_shared<const Buffer>();
  return std::make_shared<const Version>(std::move(version));
}

VersionPtr Entry::version(VersionNumber number) const {
  if (number < first_version || number - first_version >= versions.size()) return nullptr;
  return versions[number - first_version];
}

void Entry::trim(size_t keep_versions) {
  if (versions.size() <= keep_versions) return;
  const size_t surplus = versions.size() - keep_versions;
  versions.erase(versions.begin(), versions.begin() + static_cast<ptrdiff_t>(surplus));
  first_version += surplus;
}

Entry Entry::with_version(VersionPtr version, size_t keep_versions) const {
  Entry next = *this;
  const VersionPtr last = current();
  if (last && last->session != 0 && last->session == version->session) {
    next.versions.back() = std::move(version);
  } else {
    next.versions.push_back(std::move(version));
  }
  next.trim(keep_versions);
  return next;
}

Entry Entry::over(const Entry& replaced, size_t keep_versions) const {
  Entry next = *this;
  next.first_version = replaced.first_version;
  next.versions = replaced.versions;
  next.versions.insert(next.versions.end(), versions.begin(), versions.end());
  const bool is_unpublished = kind == Kind::file && versions.empty();
  if (is_unpublished && !replaced.versions.empty()) next.versions.push_back(empty_version(attributes, 0));
  next.trim(keep_versions);
  return next;
}

}  // namespace cairn
