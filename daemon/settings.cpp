#include "daemon/settings.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/units.h"

namespace cairn {

namespace {

constexpr std::array kTable = {
    Setting{
        "cache.dir", &Settings::cache_dir, "", "", "",
        "Where blocks, staged writes and the log of this mount are kept; by default a directory of its own for each "
        "store and mountpoint below /var/cache/cairnfs (root) or ~/.cache/cairnfs."},
    Setting{"cache.size", &Settings::cache_size, "10%", "0", "",
            "Most disk that the cache may take, absolute or a share of the disk that cache.dir is on; 0 caches "
            "nothing. Below 128 MiB files are cached in blocks only, and not as images that the kernel can read."},
    Setting{"cache.scrub", &Settings::cache_scrub_bytes, "8MiB", "0", "1GiB",
            "How many bytes of the cache's images are read again and checked each second, each image once a day; 0: "
            "none."},
    Setting{
        "staging-size", &Settings::staging_bytes, "0", "0", "",
        "Most bytes of files being written that may be staged in cache.dir, at least four chunks; writing more than "
        "that waits until the store has taken some. 0: as much as the disk has room for. Nobody but root and the one "
        "who "
        "mounts may take more of it than is left for the other users."},
    Setting{"memory", &Settings::memory_bytes, "512MiB", "64MiB", "1TiB",
            "Most memory for buffers, whatever the number of readers and writers: three quarters for chunks. Unless it "
            "is given, at most a quarter of what the daemon's control group may use."},
    Setting{"revalidate", &Settings::revalidate, "1s", "0", "1h",
            "How old a view of a directory may be when a file is opened: 0 sees what another host published at once."},
    Setting{"commit", &Settings::commit, "close", "", "close|async",
            "When a close returns: once its version is in the store, or once its bytes and its place in the order are "
            "durable on this host, to be committed in the background."},
    Setting{"commit-delay", &Settings::commit_delay, "1s", "0", "1m",
            "How long unlink, chmod and their like, with commit=async also closes, may wait to be committed together."},
    Setting{"publish-open", &Settings::publish_open, "*.log, *.jsonl, events.out.*", "", "",
            "Which files are published while they are open, too: patterns of names, apart by commas, colons or blanks; "
            "empty publishes what is closed or synced, and nothing else."},
    Setting{"publish-open-after", &Settings::publish_open_after, "30s", "100ms", "24h",
            "How long after a change that is done, at most."},
    Setting{"prefetch.chunks", &Settings::prefetch_chunks, "16", "0", "1024",
            "How many chunks to read ahead of a sequential reader; 0 reads only what is asked for."},
    Setting{
        "passthrough", &Settings::passthrough, "auto", "", "auto|off",
        "Whether the kernel reads files that are in the cache as a whole by itself, at the speed of the cache's disk: "
        "auto, where it can (Linux 6.9, mounted by root)."},
    Setting{
        "prefetch.siblings", &Settings::prefetch_siblings, "true", "", "",
        "Bring the next file of a checkpoint (model-00002-of-00004) into the cache once half of one has been read."},
    Setting{
        "load-profile", &Settings::load_profile, "true", "", "",
        "Leave the order in which a large file was first read in the store, and stream it in that order elsewhere."},
    Setting{"threads.io", &Settings::io_threads, "16", "1", "512",
            "Requests to the store that may be under way at once."},
    Setting{"threads.compute", &Settings::compute_threads, "0", "0", "512",
            "Threads that digest and compress; 0 is one per core."},
    Setting{"threads.fuse", &Settings::fuse_threads, "32", "1", "512",
            "System calls that are worked on at once; those that wait for the store do not count."},
    Setting{"timeout", &Settings::timeout, "60s", "100ms", "1h",
            "How long one system call may wait for the store before it fails."},
    Setting{"mount-timeout", &Settings::mount_timeout, "30s", "1s", "1h",
            "How long mount waits for the new mount to answer."},
    Setting{"shutdown-timeout", &Settings::shutdown_timeout, "30s", "0", "1h",
            "How long the daemon may go on publishing when it is told to end; the rest is kept for the next mount."},
    Setting{
        "verify", &Settings::verify, "auto", "", "auto|checksum|digest",
        "How fetched chunks are checked: by XXH3-128, which finds accidents, or by SHA-256 as well, which finds what "
        "somebody has made; auto: by SHA-256 where the way to the store is not authenticated (http:// from another "
        "machine)."},
    Setting{"compression.level", &Settings::compression_level, "1", "1", "19",
            "zstd's level for chunks that compress."},
    Setting{"host", &Settings::host, "", "", "",
            "The name recorded with every version that this mount publishes; by default the host's name."},
    Setting{"log.level", &Settings::log_level, "info", "", "debug|info|warning|error",
            "The least serious lines to log."},
    Setting{"log.file", &Settings::log_file, "", "", "",
            "Where the daemon logs; by default cairnfs.log in cache.dir, or the terminal with -f."},
    Setting{"read-only", &Settings::read_only, "false", "", "", "Publish nothing; every write fails with EROFS."},
    Setting{"allow-other", &Settings::allow_other, "false", "", "",
            "Let other users in than the one who mounts; the kernel checks modes and owners either way."},
};

// One overload for each kind of setting.
Result<std::string> parse_as(std::string_view text, const std::string*) { return std::string(text); }
Result<bool> parse_as(std::string_view text, const bool*) { return parse_bool(text); }
Result<uint32_t> parse_as(std::string_view text, const uint32_t*) { return parse_count(text); }
Result<uint64_t> parse_as(std::string_view text, const uint64_t*) { return parse_size(text); }
Result<std::chrono::nanoseconds> parse_as(std::string_view text, const std::chrono::nanoseconds*) {
  return parse_duration(text);
}
Result<CacheSize> parse_as(std::string_view text, const CacheSize*) {
  if (!text.ends_with('%')) {
    return parse_size(text).map([](uint64_t bytes) { return CacheSize{bytes, 0}; });
  }
  const Result<uint32_t> percent = parse_count(text.substr(0, text.size() - 1));
  if (!percent || *percent < 1 || *percent > 95) {
    return fail(Errc::invalid_argument, "'{}' is no share of a disk: 1% to 95%", text);
  }
  return CacheSize{0, *percent};
}

template <class T>
Result<void> check_range(const Setting& setting, std::string_view text, const T& value) {
  const auto limit = [](std::string_view bound) { return parse_as(bound, static_cast<const T*>(nullptr)).value(); };
  if (!setting.minimum.empty() && value < limit(setting.minimum)) {
    return fail(Errc::invalid_argument, "'{}' is too little: at least {}", text, setting.minimum);
  }
  if (!setting.maximum.empty() && limit(setting.maximum) < value) {
    return fail(Errc::invalid_argument, "'{}' is too much: at most {}", text, setting.maximum);
  }
  return {};
}

// A share of a disk cannot be compared with bytes.
Result<void> check_range(const Setting&, std::string_view, const CacheSize&) { return {}; }
Result<void> check_range(const Setting&, std::string_view, const bool&) { return {}; }

Result<void> check_range(const Setting& setting, std::string_view text, const std::string&) {
  if (setting.maximum.empty()) return {};
  for (std::string_view rest = setting.maximum; !rest.empty();) {
    const size_t bar = std::min(rest.find('|'), rest.size());
    if (rest.substr(0, bar) == text) return {};
    rest.remove_prefix(std::min(bar + 1, rest.size()));
  }
  return fail(Errc::invalid_argument, "'{}' is none of {}", text, setting.maximum);
}

template <class T>
Result<void> assign_member(Settings& settings, T Settings::*member, const Setting& setting, std::string_view text) {
  Result<T> value = parse_as(text, static_cast<const T*>(nullptr));
  if (!value) return fail(value.error().in(setting.key));
  const Result<void> in_range = check_range(setting, text, *value);
  if (!in_range) return fail(in_range.error().in(setting.key));
  settings.*member = std::move(*value);
  return {};
}

}  // namespace

uint64_t CacheSize::of_disk(uint64_t disk_bytes) const { return percent == 0 ? bytes : disk_bytes / 100 * percent; }

Settings::Settings() {
  for (const Setting& setting : kTable) {
    check(setting.default_text.empty() || assign(*this, setting, setting.default_text).has_value(),
          "every default is a value of its setting");
  }
  given.clear();
}

std::string Setting::flag() const {
  std::string flag = "--" + std::string(key);
  std::replace(flag.begin(), flag.end(), '.', '-');
  return flag;
}

std::string_view Setting::value_name() const {
  struct Names {
    std::string_view operator()(std::string Settings::*) const { return "TEXT"; }
    std::string_view operator()(bool Settings::*) const { return ""; }
    std::string_view operator()(uint32_t Settings::*) const { return "N"; }
    std::string_view operator()(uint64_t Settings::*) const { return "SIZE"; }
    std::string_view operator()(std::chrono::nanoseconds Settings::*) const { return "DURATION"; }
    std::string_view operator()(CacheSize Settings::*) const { return "SIZE"; }
  };
  return std::visit(Names{}, target);
}

std::span<const Setting> settings_table() { return kTable; }

const Setting* find_setting(std::string_view name) {
  const auto same = [&](const Setting& setting) {
    return std::equal(name.begin(), name.end(), setting.key.begin(), setting.key.end(),
                      [](char given, char known) { return given == known || (given == '-' && known == '.'); });
  };
  const auto found = std::find_if(kTable.begin(), kTable.end(), same);
  return found == kTable.end() ? nullptr : &*found;
}

Result<void> assign(Settings& settings, const Setting& setting, std::string_view text) {
  auto assigned =
      std::visit([&](auto member) { return assign_member(settings, member, setting, text); }, setting.target);
  if (assigned) settings.given.insert(setting.key);
  return assigned;
}

Error unknown_setting(std::string_view name) {
  std::vector<std::string> keys;
  for (const Setting& setting : kTable) keys.emplace_back(setting.key);
  const std::string meant = nearest(name, keys);
  const std::string hint =
      meant.empty() ? std::string("`man cairnfs` lists them") : fmt::format("did you mean '{}'?", meant);
  return {Errc::invalid_argument, fmt::format("there is no setting '{}'; {}", name, hint)};
}

}  // namespace cairn
