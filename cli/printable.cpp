#include "cli/printable.h"

#include "base/ascii.h"

namespace cairn {

nlohmann::json printable(nlohmann::json json) {
  if (json.is_string()) return printable(std::string_view(json.get_ref<const std::string&>()));
  if (json.is_structured()) {
    for (auto& part : json) part = printable(std::move(part));
  }
  return json;
}

}  // namespace cairn
