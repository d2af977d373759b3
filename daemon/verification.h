// How the chunks of a mount are checked, and why so.
#pragma once

#include <string>
#include <string_view>

#include "remote/object_store.h"

namespace cairn {

struct Verification {
  bool digest = false;  // by SHA-256 besides XXH3-128
  uint32_t care = 0;    // what is to be believed of chunks that are cached: LmdbBlockCache::Options
  std::string why{};    // "the store is reached by TLS": for status
};

// `setting`: the value of `verify`.
Verification choose_verification(std::string_view setting, const ObjectWay& way);

}  // namespace cairn
