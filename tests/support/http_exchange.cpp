#include "tests/support/http_exchange.h"

#include <algorithm>

namespace cairn {

std::optional<std::string_view> SeenRequest::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& h) { return h.name == name; });
  if (found == headers.end()) return std::nullopt;
  return found->value;
}

HttpReply s3_error(int status, std::string_view code) {
  return {.status = status,
          .headers = {{"Content-Type", "application/xml"}},
          .body = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{}</Code>"
                              "<Message>so says the test</Message><RequestId>1</RequestId></Error>",
                              code)};
}

HttpReply redirect_to(int status, std::string location) {
  return {.status = status, .headers = {{"Location", std::move(location)}}};
}

}  // namespace cairn
