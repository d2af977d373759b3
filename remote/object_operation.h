// The five things one can ask of an ObjectStore, as a value: for metrics, limits and faults.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace cairn {

enum class ObjectOperation { get, put_if_absent, head, list, remove };

inline constexpr std::array kObjectOperations = {ObjectOperation::get, ObjectOperation::put_if_absent,
                                                 ObjectOperation::head, ObjectOperation::list, ObjectOperation::remove};

std::string_view to_string(ObjectOperation operation);

}  // namespace cairn
