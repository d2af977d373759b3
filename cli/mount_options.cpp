#include "cli/mount_options.h"

#include <algorithm>
#include <array>

namespace cairn {

namespace {

using Words = std::initializer_list<std::string_view>;

bool is_one_of(std::string_view word, Words words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_for_the_kernel(std::string_view word) {
  return is_one_of(
      word, {"nodev", "dev", "nosuid", "suid", "noexec", "exec", "noatime", "atime", "sync", "async", "dirsync"});
}

// Read by mount(8), systemd or the boot scripts; permissions are checked by the kernel here in any case.
bool is_for_others(std::string_view word) {
  return is_one_of(word, {"rw",       "defaults",   "auto",       "noauto",      "user",
                          "nouser",   "users",      "owner",      "group",       "nofail",
                          "_netdev",  "relatime",   "norelatime", "strictatime", "nostrictatime",
                          "lazytime", "nolazytime", "diratime",   "nodiratime",  "default_permissions"}) ||
         word.starts_with("x-") || word.starts_with("X-") || word.starts_with("comment=");
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> words(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ',') {
      words.back() += text[++i];
    } else if (text[i] == ',') {
      words.emplace_back();
    } else {
      words.back() += text[i];
    }
  }
  std::erase_if(words, [](const std::string& word) { return word.empty(); });
  return words;
}

Result<void> apply_setting(std::string_view word, Settings& settings) {
  const size_t equals = std::min(word.find('='), word.size());
  const std::string_view name = word.substr(0, equals);
  const Setting* setting = find_setting(name == "allow_other" ? "allow-other" : name == "ro" ? "read-only" : name);
  if (setting == nullptr) return fail(unknown_setting(name));
  if (equals == word.size() && !setting->is_switch()) {
    return fail(Errc::invalid_argument, "{} needs a value: {}={}", name, name, setting->value_name());
  }
  return assign(settings, *setting, equals == word.size() ? "true" : word.substr(equals + 1));
}

}  // namespace

Result<void> apply_mount_options(std::string_view text, Settings& settings, MountOptions& options) {
  for (const std::string& word : split_at_commas(text)) {
    if (is_for_others(word)) continue;
    if (is_for_the_kernel(word)) {
      options.kernel.push_back(word);
    } else if (word == "nonempty") {
      options.nonempty = true;
    } else if (word.starts_with("config=")) {
      options.config_file = word.substr(7);
    } else if (const Result<void> applied = apply_setting(word, settings); !applied) {
      return fail(applied.error().in("-o"));
    }
  }
  return {};
}

}  // namespace cairn
