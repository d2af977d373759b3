// From a URL to a store.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "remote/object_store.h"

namespace cairn {

struct OpenObjectStoreOptions {
  bool read_only = false;
  bool create = false;           // make an empty directory for a new store if there is none
  std::optional<gid_t> group{};  // with `create`: whose members the directory is for, besides its owner
  size_t operations = 32;        // that the store can have under way at once
  std::chrono::nanoseconds timeout{std::chrono::seconds(30)};
  std::function<void(const std::string& what)> notice{};  // what the user should hear of, though it is no failure
};

// "dir:PATH": a relative PATH is seen from the current directory, now; the calls are detached, so that none outlasts
// its context. "s3://BUCKET/PREFIX?…": see remote/s3/s3_location.h; nothing is asked of the endpoint yet. Nothing is
// retried, limited or counted yet: that is what RemoteStack is for. Failures: invalid_argument (no URL), unsupported (a
// scheme this build does not know), deadline_exceeded (the directory's file system hangs), and those of the store's
// open.
Result<std::unique_ptr<ObjectStore>> open_object_store(const std::string& url, const OpenObjectStoreOptions& options);

// Whether somebody else's service over a network is behind the URL, and not this machine's kernel: what it promises is
// to be proven (prove_atomic_create), and one answer may come much later than the others (HedgePolicy).
[[nodiscard]] bool is_endpoint(const std::string& url);

}  // namespace cairn
