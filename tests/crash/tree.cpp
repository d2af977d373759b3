#include "tests/crash/tree.h"

#include <fmt/format.h>

namespace cairn {

namespace {

std::string content_at(TestHost& host, const std::string& path, Kind kind) {
  const auto content = kind == Kind::symlink ? host.readlink(path) : host.read(path);
  if (!content) return fmt::format("<unreadable: {}>", content.error().to_string());
  return kind == Kind::symlink ? "-> " + *content : *content;
}

void read_below(TestHost& host, const std::string& above, Tree& tree) {
  const auto names = host.list(above);
  if (!names) {
    tree[above] = fmt::format("<unreadable: {}>", names.error().to_string());
    return;
  }
  for (const std::string& name : *names) {
    const std::string path = above.empty() ? name : above + "/" + name;
    const auto found = host.stat(path);
    if (!found && errno_of(found) == ENOENT) continue;  // listed, and then known to be gone
    if (!found || found->attributes.kind != Kind::directory) {
      tree[path] = content_at(host, path, found ? found->attributes.kind : Kind::file);
      continue;
    }
    tree[path] = kIsDirectory;
    read_below(host, path, tree);
  }
}

std::string shortened(const std::string& content) {
  if (content.size() <= 60) return fmt::format("'{}'", content);
  return fmt::format("{} bytes, '{}…'", content.size(), content.substr(0, 16));
}

std::string at(const Tree& tree, const std::string& path) {
  const auto found = tree.find(path);
  return found == tree.end() ? "nothing" : shortened(found->second);
}

}  // namespace

Tree read_tree(TestHost& host) {
  Tree tree;
  read_below(host, "", tree);
  return tree;
}

std::string describe_difference(const Tree& expected, const Tree& found) {
  Tree all = expected;
  all.insert(found.begin(), found.end());
  std::string text;
  for (const auto& [path, content] : all) {
    const std::string wanted = at(expected, path);
    const std::string is = at(found, path);
    if (wanted != is || (expected.contains(path) && found.contains(path) && expected.at(path) != found.at(path))) {
      text += fmt::format("  {}: expected {}, found {}\n", path, wanted, is);
    }
  }
  return text;
}

}  // namespace cairn
