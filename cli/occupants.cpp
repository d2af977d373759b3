#include "cli/occupants.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <fstream>
#include <memory>

namespace cairn {

namespace {

constexpr size_t kNamedOccupants = 5;

std::vector<std::string> names_in(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), &::closedir);
  std::vector<std::string> names;
  while (stream != nullptr) {
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    names.emplace_back(&entry->d_name[0]);
  }
  return names;
}

std::string link_target(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  return length < 0 ? std::string() : std::string(target.data(), static_cast<size_t>(length));
}

bool is_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

// "" if the process holds nothing there.
std::string held_path(const std::string& process, std::string_view mountpoint) {
  std::vector<std::string> links = {process + "/cwd", process + "/root", process + "/exe"};
  for (const char* folder : {"/fd", "/map_files"}) {
    for (const std::string& name : names_in(process + folder)) links.push_back(process + folder + "/" + name);
  }
  for (const std::string& link : links) {
    const std::string target = link_target(link);
    if (is_below(target, mountpoint)) return target;
  }
  return {};
}

}  // namespace

std::vector<Occupant> find_occupants(std::string_view mountpoint) {
  std::vector<Occupant> found;
  for (const std::string& name : names_in("/proc")) {
    Occupant occupant;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), occupant.pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    occupant.path = held_path("/proc/" + name, mountpoint);
    if (occupant.path.empty()) continue;
    std::ifstream("/proc/" + name + "/comm") >> occupant.command;
    found.push_back(std::move(occupant));
  }
  return found;
}

std::string describe(const std::vector<Occupant>& occupants) {
  std::string text;
  for (size_t i = 0; i < occupants.size() && i < kNamedOccupants; ++i) {
    text +=
        fmt::format("{}{} (pid {}, {})", i == 0 ? "" : ", ", occupants[i].command, occupants[i].pid, occupants[i].path);
  }
  if (occupants.size() > kNamedOccupants) text += fmt::format(" and {} more", occupants.size() - kNamedOccupants);
  return text;
}

}  // namespace cairn
