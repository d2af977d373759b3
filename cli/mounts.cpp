#include "cli/mounts.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <deque>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/paths.h"

namespace cairn {

namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// mountinfo writes spaces, tabs, newlines and backslashes as \ooo.
std::string unescape_octal(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr == text.data() + i + 4) {
      plain += static_cast<char>(code);
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) words.push_back(word);
  return words;
}

std::optional<std::string> link_target(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return std::nullopt;
  return std::string(target.data(), static_cast<size_t>(length));
}

constexpr int kMaxLinks = 40;  // as the kernel

}  // namespace

std::vector<MountPoint> parse_mountinfo(std::string_view text) {
  std::vector<MountPoint> mounts;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> words = words_of(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 3) continue;
    std::vector<std::string> options = split_at_commas(words[5]);
    if (words.end() - dash > 3) std::ranges::move(split_at_commas(*(dash + 3)), std::back_inserter(options));
    mounts.push_back(
        {unescape_octal(words[4]), *(dash + 1), unescape_octal(*(dash + 2)), words[2], std::move(options)});
  }
  return mounts;
}

std::vector<MountPoint> cairnfs_mounts(const HostEnvironment& host) {
  std::vector<MountPoint> mounts = parse_mountinfo(read_text(host.mountinfo));
  std::erase_if(mounts, [](const MountPoint& mount) { return mount.type != kMountType; });
  return mounts;
}

std::optional<MountPoint> mount_at(const std::vector<MountPoint>& mounts, std::string_view path) {
  const auto found =
      std::find_if(mounts.rbegin(), mounts.rend(), [&](const MountPoint& mount) { return mount.path == path; });
  if (found == mounts.rend()) return std::nullopt;
  return *found;
}

Result<Location> locate(const std::string& path, const std::string& directory, const std::vector<MountPoint>& mounts) {
  const std::vector<std::string> given = components_of(path.starts_with('/') ? path : directory + "/" + path);
  std::deque<std::string> rest(given.begin(), given.end());
  std::string reached;
  int links = 0;
  while (!rest.empty() && !mount_at(mounts, reached)) {
    const std::string part = std::move(rest.front());
    rest.pop_front();
    const std::string next = part == ".." ? reached.substr(0, reached.rfind('/')) : reached + "/" + part;
    const std::optional<std::string> target = mount_at(mounts, next) ? std::nullopt : link_target(next);
    if (!target) {
      reached = next;
      continue;
    }
    if (++links > kMaxLinks) return fail(Errc::invalid_argument, "{}: too many symbolic links", path);
    if (target->starts_with('/')) reached.clear();
    const std::vector<std::string> followed = components_of(*target);
    rest.insert(rest.begin(), followed.begin(), followed.end());
  }
  if (!mount_at(mounts, reached)) {
    return fail(Errc::not_found, "{} is in no CairnFS mount: `cairnfs status` lists them", path);
  }
  return Location{reached, absolute_path(join({rest.begin(), rest.end()}), "/").substr(1)};
}

}  // namespace cairn
