// Everything a mount can be told: one table drives the configuration file, the flags, the -o options and the manual.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace cairn {

// "20GiB", or "10%" of the file system that the cache is on.
struct CacheSize {
  uint64_t bytes = 0;
  uint32_t percent = 0;  // not 0: it counts, and `bytes` does not

  auto operator<=>(const CacheSize&) const = default;
  [[nodiscard]] uint64_t of_disk(uint64_t disk_bytes) const;
};

// The meaning of each is in its row of settings_table(). Starts with the table's defaults.
struct Settings {
  Settings();

  std::string cache_dir;
  CacheSize cache_size;
  uint64_t cache_scrub_bytes = 0;  // a second
  uint64_t staging_bytes = 0;
  uint64_t memory_bytes = 0;
  std::chrono::nanoseconds revalidate{0};
  std::string commit;
  std::chrono::nanoseconds commit_delay{0};
  std::string publish_open;
  std::chrono::nanoseconds publish_open_after{0};
  uint32_t prefetch_chunks = 0;
  bool prefetch_siblings = false;
  bool load_profile = false;
  uint32_t io_threads = 0;
  uint32_t compute_threads = 0;
  uint32_t fuse_threads = 0;
  std::chrono::nanoseconds timeout{0};
  std::chrono::nanoseconds mount_timeout{0};
  std::chrono::nanoseconds shutdown_timeout{0};
  std::string verify;
  uint32_t compression_level = 0;
  std::string host;
  std::string log_level;
  std::string log_file;
  std::string passthrough;
  bool read_only = false;
  bool allow_other = false;

  std::set<std::string_view> given{};  // the keys that were assigned, and not left to the table
};

using SettingTarget = std::variant<std::string Settings::*, bool Settings::*, uint32_t Settings::*,
                                   uint64_t Settings::*, std::chrono::nanoseconds Settings::*, CacheSize Settings::*>;

struct Setting {
  std::string_view key;  // "cache.size": in the file, and in -o
  SettingTarget target;
  std::string_view default_text;
  std::string_view minimum;  // "" or a value of the same kind
  std::string_view maximum;  // for a word: the alternatives, "checksum|digest"
  std::string_view help;     // for the manual and --help: one sentence

  // "--cache-size".
  [[nodiscard]] std::string flag() const;
  // "SIZE", "DURATION": what to write after the flag; "" for a switch.
  [[nodiscard]] std::string_view value_name() const;
  [[nodiscard]] bool is_switch() const { return std::holds_alternative<bool Settings::*>(target); }
};

std::span<const Setting> settings_table();

// The row for "cache.size" or "cache-size"; nullptr if there is none.
const Setting* find_setting(std::string_view name);

// Failures: invalid_argument, with the key, what was given and what is allowed.
Result<void> assign(Settings& settings, const Setting& setting, std::string_view text);

// "there is no setting 'cache.sise'; did you mean 'cache.size'?"
Error unknown_setting(std::string_view name);

}  // namespace cairn
