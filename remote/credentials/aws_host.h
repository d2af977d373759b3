// Names of AWS's own hosts.
#pragma once

#include <string>
#include <string_view>

namespace cairn {

// "sts", "eu-west-1" -> "sts.eu-west-1.amazonaws.com". Regions of China have a domain of their own. The caller has seen
// to it that `region` can be part of a host's name.
std::string aws_host(std::string_view service, std::string_view region);

}  // namespace cairn
