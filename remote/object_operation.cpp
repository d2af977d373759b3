#include "remote/object_operation.h"

#include "base/check.h"

namespace cairn {

std::string_view to_string(ObjectOperation operation) {
  switch (operation) {
    case ObjectOperation::get: return "get";
    case ObjectOperation::put_if_absent: return "put_if_absent";
    case ObjectOperation::head: return "head";
    case ObjectOperation::list: return "list";
    case ObjectOperation::remove: return "remove";
  }
  check_failed("an ObjectOperation has a name");
}

}  // namespace cairn
