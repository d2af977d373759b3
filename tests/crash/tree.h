// Everything below the root, by path: what a test compares.
#pragma once

#include <map>
#include <string>

#include "tests/support/test_host.h"

namespace cairn {

inline constexpr const char* kIsDirectory = "<directory>";

// Path to content; directories and symlinks have "<directory>" and "-> target".
using Tree = std::map<std::string, std::string>;

// Reads all of it through `host`. What cannot be read is there as "<unreadable: why>".
Tree read_tree(TestHost& host);

// What differs, one line a path: for a message. Contents are shortened.
std::string describe_difference(const Tree& expected, const Tree& found);

}  // namespace cairn
