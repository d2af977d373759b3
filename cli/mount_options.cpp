#include "cli/mount_options.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace cairn {

namespace {

using Words = std::initializer_list<std::string_view>;

bool is_one_of(std::string_view word, Words words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool starts_with_one_of(std::string_view word, Words words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view begin) { return word.starts_with(begin); });
}

// A label needs a kernel that labels; elsewhere there is nothing that it could mean.
bool is_label(std::string_view word) {
  return starts_with_one_of(word, {"context=", "fscontext=", "defcontext=", "rootcontext="});
}
bool kernel_labels() { return ::access("/sys/fs/selinux", F_OK) == 0; }

bool is_for_the_kernel(std::string_view word) {
  return is_one_of(word, {"nodev", "dev", "nosuid", "suid", "noexec", "exec", "noatime", "atime", "sync", "async",
                          "dirsync", "auto_unmount", "allow_root"}) ||
         word.starts_with("fsname=") || (is_label(word) && kernel_labels());
}

// Read by mount(8), systemd or the boot scripts, or what other file systems' lines in fstab have; permissions are
// checked by the kernel here in any case. max_read= and blksize= are limits that FUSE file systems were once given by
// hand. The last line is what /proc/mounts shows, and mount(8) repeats when it remounts.
bool is_for_others(std::string_view word) {
  return is_one_of(word, {"rw",
                          "defaults",
                          "auto",
                          "noauto",
                          "user",
                          "nouser",
                          "users",
                          "owner",
                          "group",
                          "nofail",
                          "_netdev",
                          "relatime",
                          "norelatime",
                          "diratime",
                          "nodiratime",
                          "strictatime",
                          "lazytime",
                          "nolazytime",
                          "iversion",
                          "noiversion",
                          "nostrictatime",
                          "mand",
                          "nomand",
                          "silent",
                          "loud",
                          "symfollow",
                          "bg",
                          "fg",
                          "default_permissions"}) ||
         starts_with_one_of(word, {"x-", "X-", "comment=", "max_read=", "blksize=", "retry=", "helper=", "uhelper="}) ||
         starts_with_one_of(word, {"user_id=", "group_id=", "rootmode=", "subtype=", "user="}) || is_label(word);
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> words(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ',') {
      words.back() += text[++i];
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == ',' && !quoted) {
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

Result<uint32_t> parse_number(std::string_view name, std::string_view text, int base) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  const uint32_t most = base == 8 ? 0777 : std::numeric_limits<uint32_t>::max() - 1;
  if (is_whole && number <= most) return number;
  return fail(Errc::invalid_argument, "{}: '{}' is no {}", name, text,
              base == 8 ? "mask, as 022" : "number of an owner");
}

// False: it is none of uid=, gid= and umask=.
Result<bool> apply_ownership(std::string_view word, Ownership& ownership) {
  const size_t equals = std::min(word.find('='), word.size());
  const std::string_view name = word.substr(0, equals);
  if (!is_one_of(name, {"uid", "gid", "umask"})) return false;
  const Result<uint32_t> number =
      parse_number(name, word.substr(std::min(equals + 1, word.size())), name == "umask" ? 8 : 10);
  if (!number) return fail(number.error());
  (name == "uid" ? ownership.uid : name == "gid" ? ownership.gid : ownership.umask) = *number;
  return true;
}

bool apply_switch(std::string_view word, MountOptions& options) {
  if (word == "nonempty") return options.nonempty = true;
  if (word == "remount") return options.remount = true;
  if (word == "nosymfollow") return !(options.follow_symlinks = false);
  return false;
}

Result<void> apply_word(const std::string& word, Settings& settings, MountOptions& options) {
  if (is_for_the_kernel(word)) {
    options.kernel.push_back(word);
    return {};
  }
  // mount(8) adds "rw" wherever "ro" is not: it takes back an "ro" before it, and nothing that a configuration says.
  if (word == "rw" && std::ranges::find(options.words, "ro") != options.words.end()) settings.read_only = false;
  if (is_for_others(word) || apply_switch(word, options)) return {};
  if (word.starts_with("config=")) {
    options.config_file = word.substr(7);
    return {};
  }
  const Result<bool> owned = apply_ownership(word, options.ownership);
  if (!owned) return fail(owned.error());
  return *owned ? Result<void>{} : apply_setting(word, settings);
}

}  // namespace

Result<void> apply_mount_options(std::string_view text, Settings& settings, MountOptions& options) {
  for (const std::string& word : split_at_commas(text)) {
    options.words.push_back(word);
    if (const Result<void> applied = apply_word(word, settings, options); !applied)
      return fail(applied.error().in("-o"));
  }
  return {};
}

}  // namespace cairn
