// What every ObjectStore refuses, in the same words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "remote/object_store.h"

namespace cairn {

inline constexpr size_t kMaxKeyBytes = 512;  // S3 takes 1024, of which a store's prefix may be half
inline constexpr size_t kMaxKeyComponentBytes = 255;

// One name between two slashes: 1…255 of [A-Za-z0-9._-], neither "." nor "..".
[[nodiscard]] bool is_key_component(std::string_view name);

// invalid_argument unless `key` is components joined by single slashes, at most kMaxKeyBytes long.
Result<void> check_key(std::string_view key);

// The same for all of them.
Result<void> check_keys(const std::vector<std::string>& keys);

// "remove dirs/1/a and 2 others": for errors.
std::string what_is_removed(const std::vector<std::string>& keys);

// invalid_argument unless `prefix` is how some key may begin ("", "dirs/", "dirs/00") and `limit` is at least 1.
Result<void> check_list(std::string_view prefix, size_t limit);

// invalid_argument for a bad key, or bytes past kMaxObjectBytes.
Result<void> check_put(std::string_view key, ByteView bytes);

// corrupt unless an answer of `size_bytes` to a get of `range` can be right.
Result<void> check_answer(uint64_t size_bytes, const ByteRange& range);

}  // namespace cairn
