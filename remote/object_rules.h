// What every ObjectStore refuses, in the same words.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

inline constexpr size_t kMaxKeyBytes = 1024;
inline constexpr size_t kMaxKeyComponentBytes = 255;

// One name between two slashes: 1…255 of [A-Za-z0-9._-], neither "." nor "..".
[[nodiscard]] bool is_key_component(std::string_view name);

// invalid_argument unless `key` is components joined by single slashes, at most 1024 bytes long.
Result<void> check_key(std::string_view key);

// invalid_argument unless `prefix` is how some key may begin ("", "dirs/", "dirs/00") and `limit` is at least 1.
Result<void> check_list(std::string_view prefix, size_t limit);

// invalid_argument for a bad key, or bytes past kMaxObjectBytes.
Result<void> check_put(std::string_view key, ByteView bytes);

}  // namespace cairn
