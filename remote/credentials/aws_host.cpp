#include "remote/credentials/aws_host.h"

#include <fmt/format.h>

namespace cairn {

std::string aws_host(std::string_view service, std::string_view region) {
  return fmt::format("{}.{}.amazonaws.com{}", service, region, region.starts_with("cn-") ? ".cn" : "");
}

}  // namespace cairn
