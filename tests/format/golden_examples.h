// The examples of docs/format.md: bytes that every version of CairnFS has to read, and format 1 to write.
#pragma once

#include <map>
#include <string>

namespace cairn {

// By name, from blocks that follow a line `<!-- golden: NAME -->`. In a ```hex block each line is pairs of hexadecimal
// digits, then anything behind a "|"; a block of another kind is taken as it stands.
std::map<std::string, std::string> golden_examples(const std::string& document_path);

// Two digits for each byte, sixteen bytes to a line: what the document has, without its remarks.
std::string to_hex_lines(const std::string& bytes);

}  // namespace cairn
