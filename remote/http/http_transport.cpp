#include "remote/http/http_transport.h"

#include <algorithm>

namespace cairn {

std::optional<std::string_view> HttpAnswer::header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &HttpHeader::name);
  if (found == headers.end()) return std::nullopt;
  return found->value;
}

}  // namespace cairn
