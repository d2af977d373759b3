#include "cli/config_file.h"

#include <toml++/toml.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>

namespace cairn {

namespace {

Error at(const std::string& path, const toml::source_region& source, const Error& error) {
  return error.in(fmt::format("{}:{}", path, source.begin.line));
}

// What a person would have written after the flag; nullopt for what no setting can be.
std::optional<std::string> as_text(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<int64_t>()) return std::to_string(*number);
  if (const auto flag = node.value_exact<bool>()) return std::string(*flag ? "true" : "false");
  return std::nullopt;
}

Result<void> apply_value(const std::string& path, const std::string& key, const toml::node& node, Settings& settings) {
  const Setting* setting = find_setting(key);
  if (setting == nullptr || setting->key != key) return fail(at(path, node.source(), unknown_setting(key)));
  const std::optional<std::string> text = as_text(node);
  if (!text) {
    return fail(at(path, node.source(), {Errc::invalid_argument, key + ": write a string, a number or a boolean"}));
  }
  const Result<void> assigned = assign(settings, *setting, *text);
  if (!assigned) return fail(at(path, node.source(), assigned.error()));
  return {};
}

// [cache] size = "1GiB" is the same as cache.size = "1GiB".
Result<void> apply_table(const std::string& path, const std::string& prefix, const toml::table& table,
                         Settings& settings) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    const toml::table* inner = node.as_table();
    const Result<void> applied =
        inner != nullptr ? apply_table(path, name + ".", *inner, settings) : apply_value(path, name, node, settings);
    if (!applied) return applied;
  }
  return {};
}

Result<std::string> read_text(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  if (!file) return fail(error_from_errno(errno == 0 ? EIO : errno, path));
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return fail(Errc::io, "{}: cannot be read", path);
  return text;
}

}  // namespace

Result<void> read_config_file(const std::string& path, Settings& settings) {
  const Result<std::string> text = read_text(path);
  if (!text) return fail(text.error());
  try {
    return apply_table(path, "", toml::parse(*text), settings);
  } catch (const toml::parse_error& error) {
    return fail(at(path, error.source(), {Errc::invalid_argument, std::string(error.description())}));
  }
}

std::vector<std::string> config_files(const std::string& explicit_path, const HostEnvironment& host) {
  if (!explicit_path.empty()) return {explicit_path};
  if (const std::string path = host.variable("CAIRNFS_CONFIG"); !path.empty()) return {path};
  std::string home = host.variable("XDG_CONFIG_HOME");
  if (home.empty() && !host.variable("HOME").empty()) home = host.variable("HOME") + "/.config";
  std::vector<std::string> files = {"/etc/cairnfs/cairnfs.toml"};
  if (!home.empty()) files.push_back(home + "/cairnfs/cairnfs.toml");
  std::erase_if(files, [](const std::string& path) { return ::access(path.c_str(), F_OK) != 0; });
  return files;
}

}  // namespace cairn
