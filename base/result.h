// Result<T>: a value or an Error. The only way failures cross a function boundary in this project.
#pragma once

#include <tl/expected.hpp>

#include "base/error.h"

namespace cairn {

template <class T>
using Result = tl::expected<T, Error>;

// return fail(Errc::not_found, "no entry '{}'", name);
template <class... Args>
tl::unexpected<Error> fail(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error(code, fmt::format(format, std::forward<Args>(args)...)));
}

// return fail(std::move(result).error().in("chunk 3f2a…"));
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace cairn
