// A small correct S3 in memory: what HostileHttpServer answers when it is not told to misbehave.
#pragma once

#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "tests/support/http_exchange.h"

namespace cairn {

// One bucket in path style, reads and writes exact under any number of racers. PUT (If-None-Match: *), GET and HEAD
// (Range), DELETE, ListObjectsV2 (prefix, start-after, continuation-token, max-keys, encoding-type) and POST ?delete.
// Signatures are not looked at: tests/servers has a real server for that.
// Thread-safety: all methods may be called from any thread.
class MemoryS3 {
 public:
  explicit MemoryS3(std::string bucket) : bucket_(std::move(bucket)) {}

  HttpReply handle(const SeenRequest& request, std::string_view body);

  // Takes If-None-Match: * for any other header, and overwrites.
  void ignore_conditions();
  // No page of a listing is longer, whatever max-keys asks for.
  void limit_pages(size_t keys);

  // What is stored, beside the protocol.
  void put(const std::string& key, std::string bytes);
  [[nodiscard]] std::optional<std::string> get(const std::string& key) const;
  [[nodiscard]] size_t size() const;

 private:
  using Query = std::map<std::string, std::string, std::less<>>;  // decoded; {"delete", ""} for ?delete

  HttpReply on_bucket(const SeenRequest& request, const Query& query, std::string_view body) CAIRN_REQUIRES(mutex_);
  HttpReply on_object(const SeenRequest& request, const std::string& key, std::string_view body) CAIRN_REQUIRES(mutex_);
  HttpReply list(const Query& query) const CAIRN_REQUIRES(mutex_);
  HttpReply remove_many(const SeenRequest& request, std::string_view body) CAIRN_REQUIRES(mutex_);
  HttpReply read(const SeenRequest& request, const std::string& key) const CAIRN_REQUIRES(mutex_);
  HttpReply write(const SeenRequest& request, const std::string& key, std::string_view body) CAIRN_REQUIRES(mutex_);

  const std::string bucket_;
  mutable Mutex mutex_;
  std::map<std::string, std::string> objects_ CAIRN_GUARDED_BY(mutex_);
  std::map<std::string, std::time_t> written_ CAIRN_GUARDED_BY(mutex_);
  bool honours_conditions_ CAIRN_GUARDED_BY(mutex_) = true;
  size_t page_limit_ CAIRN_GUARDED_BY(mutex_) = 1000;
};

}  // namespace cairn
