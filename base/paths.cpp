#include "base/paths.h"

#include <sstream>

namespace cairn {

std::vector<std::string> components_of(std::string_view path) {
  std::vector<std::string> parts;
  std::istringstream stream{std::string(path)};
  for (std::string part; std::getline(stream, part, '/');) {
    if (!part.empty() && part != ".") parts.push_back(part);
  }
  return parts;
}

std::string join(const std::vector<std::string>& components) {
  std::string joined;
  for (const std::string& component : components) joined += (joined.empty() ? "" : "/") + component;
  return joined;
}

std::string absolute_path(const std::string& path, const std::string& directory) {
  std::vector<std::string> resolved;
  for (std::string& part : components_of(path.starts_with('/') ? path : directory + "/" + path)) {
    if (part != "..") {
      resolved.push_back(std::move(part));
    } else if (!resolved.empty()) {
      resolved.pop_back();
    }
  }
  return "/" + join(resolved);
}

}  // namespace cairn
