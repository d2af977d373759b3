// Paths as text: nothing here asks a file system.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// "a//b/./c": {"a", "b", "c"}. ".." stays: what it means may depend on links.
std::vector<std::string> components_of(std::string_view path);

// {"a", "b", "c"}: "a/b/c".
std::string join(const std::vector<std::string>& components);

// Absolute, seen from `directory`; ".", ".." and double slashes are resolved by the text alone.
std::string absolute_path(const std::string& path, const std::string& directory);

}  // namespace cairn
