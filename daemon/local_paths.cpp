#include "daemon/local_paths.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/digest.h"

namespace cairn {

namespace {

constexpr size_t kMaxEscapedLength = 60;  // a socket's whole path must fit into 107 bytes

std::string cache_home(const HostEnvironment& host) {
  if (host.superuser) return "/var/cache";
  const std::string home = host.variable("XDG_CACHE_HOME");
  return home.empty() ? host.variable("HOME") + "/.cache" : home;
}

}  // namespace

std::string runtime_directory(const HostEnvironment& host) {
  if (const std::string given = host.variable("CAIRNFS_RUNTIME_DIR"); !given.empty()) return given;
  if (host.superuser) return "/run/cairnfs";
  const std::string home = host.variable("XDG_RUNTIME_DIR");
  return home.empty() ? cache_home(host) + "/cairnfs/run" : home + "/cairnfs";
}

std::string escaped_mountpoint(std::string_view mountpoint) {
  std::string name;
  for (const char letter : mountpoint.substr(mountpoint.starts_with('/') ? 1 : 0)) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9') || letter == '.' || letter == '_';
    name += letter == '/' ? "-" : plain ? std::string(1, letter) : fmt::format("%{:02x}", static_cast<uint8_t>(letter));
  }
  if (name.empty()) return "-";
  if (name.size() <= kMaxEscapedLength) return name;
  return name.substr(0, kMaxEscapedLength - 17) + "~" + xxh3_128(as_bytes(mountpoint)).hex().substr(0, 16);
}

std::string control_socket_path(const HostEnvironment& host, std::string_view mountpoint) {
  return runtime_directory(host) + "/" + escaped_mountpoint(mountpoint) + ".sock";
}

std::string find_control_socket(const HostEnvironment& host, std::string_view mountpoint) {
  namespace fs = std::filesystem;
  const fs::path usual = control_socket_path(host, mountpoint);
  std::error_code none;
  if (fs::exists(usual, none)) return usual.string();
  for (const auto& beside : fs::directory_iterator(usual.parent_path(), none)) {
    const fs::path path = beside.path() / usual.filename();
    if (fs::is_socket(path, none)) return path.string();
  }
  return usual.string();
}

std::string default_cache_directory(const HostEnvironment& host, std::string_view store_id,
                                    std::string_view mountpoint) {
  return fmt::format("{}/cairnfs/{}-{}", cache_home(host), store_id.substr(0, 8), escaped_mountpoint(mountpoint));
}

}  // namespace cairn
