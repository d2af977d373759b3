// Text of protocols, configuration files and messages, where only ASCII counts and no locale does.
#pragma once

#include <string>
#include <string_view>

namespace cairn {

// `text` without the white space around it.
std::string_view trimmed(std::string_view text);

std::string lower_case(std::string_view text);

// Whether `text` can be one part of a host's name between two dots: letters, digits and inner hyphens, at most 63. What
// somebody else names must be that before it becomes a part of where credentials are sent (RFC 1123, 2.1).
bool is_host_label(std::string_view text);

// `text` for a terminal or a log: control characters, those that UTF-8 writes in two bytes too, stand there as "\x1b".
// A name can hold any of them, and would move the cursor, clear the screen or add a line of its own.
std::string printable(std::string_view text);

}  // namespace cairn
