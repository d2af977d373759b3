#include "tests/format/golden_examples.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include "base/bytes.h"

namespace cairn {

namespace {

constexpr std::string_view kMark = "<!-- golden: ";

std::string bytes_of_line(const std::string& line) {
  std::string digits = line.substr(0, line.find('|'));
  std::erase(digits, ' ');
  std::string bytes(digits.size() / 2, '\0');
  const auto out = std::as_writable_bytes(std::span(bytes));
  return from_hex(digits, out) ? bytes : "a line that is not hexadecimal: " + line;
}

// The next line that is not empty opens the block.
std::string read_block(std::istream& document) {
  std::string line;
  while (std::getline(document, line) && line.empty()) continue;
  const bool is_hex = line == "```hex";
  std::string bytes;
  while (std::getline(document, line) && line != "```") bytes += is_hex ? bytes_of_line(line) : line + "\n";
  return bytes;
}

}  // namespace

std::map<std::string, std::string> golden_examples(const std::string& document_path) {
  std::map<std::string, std::string> examples;
  std::ifstream document(document_path);
  for (std::string line; std::getline(document, line);) {
    if (!line.starts_with(kMark)) continue;
    const std::string name = line.substr(kMark.size(), line.find(" -->") - kMark.size());
    examples[name] = read_block(document);
  }
  return examples;
}

std::string to_hex_lines(const std::string& bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    text += to_hex(as_bytes(bytes).subspan(i, 1));
    text += i % 16 == 15 || i + 1 == bytes.size() ? "\n" : " ";
  }
  return text;
}

}  // namespace cairn
