#include "fs/sibling_shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "store/reading/cache_warmer.h"

namespace cairn {

namespace {

constexpr std::string_view kOf = "-of-";
constexpr size_t kDigits = 5;
// Fewer than `cairnfs prefetch` takes: the readers of the shard before come first.
constexpr size_t kThreads = 4;

std::optional<uint32_t> number_of(std::string_view digits) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size();
  return is_number ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<std::string> next_shard(std::string_view name) {
  const size_t of = name.rfind(kOf);
  if (of == std::string_view::npos || of < kDigits + 1 || name[of - kDigits - 1] != '-') return std::nullopt;
  const std::string_view behind = name.substr(of + kOf.size());
  if (behind.size() < kDigits || (behind.size() > kDigits && behind[kDigits] != '.')) return std::nullopt;
  const auto number = number_of(name.substr(of - kDigits, kDigits));
  const auto count = number_of(behind.substr(0, kDigits));
  // Some count from 0.
  if (!number || !count || *count < 2 || *number > *count) return std::nullopt;
  const bool is_last = *number >= *count;
  const uint32_t next = is_last ? 1 : *number + 1;
  return fmt::format("{}{:05}{}", name.substr(0, of - kDigits), next, name.substr(of));
}

SiblingShards::SiblingShards(StoreEnvironment& environment, ChunkReader& reader)
    : environment_(environment),
      reader_(reader),
      thread_("siblings", [this](const std::stop_token& stop) { run(stop); }) {}

SiblingShards::~SiblingShards() { stop(); }

void SiblingShards::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void SiblingShards::half_read(std::shared_ptr<Directory> directory, const std::string& name,
                              const std::shared_ptr<FileReader>& reading) {
  auto next = next_shard(name);
  if (!next || !environment_.options.prefetch_siblings) return;
  {
    const MutexLock lock(mutex_);
    std::erase_if(shards_, [](const Shard& shard) { return shard.reading.expired(); });
    shards_.push_back({std::move(directory), std::move(*next), reading});
  }
  wanted_.notify_all();
}

void SiblingShards::run(const std::stop_token& stop) {
  while (true) {
    Shard shard;
    {
      MutexLock lock(mutex_);
      wanted_.wait(lock, stop, [this]() CAIRN_REQUIRES(mutex_) { return !shards_.empty(); });
      if (stop.stop_requested()) return;
      shard = std::move(shards_.front());
      shards_.pop_front();
    }
    if (!shard.reading.expired()) bring(shard, stop);
  }
}

void SiblingShards::bring(const Shard& shard, const std::stop_token& stop) {
  const EntryPtr entry = shard.directory->find(shard.name);
  const VersionPtr version = entry && entry->kind == Kind::file ? entry->current() : nullptr;
  const uint64_t capacity_bytes = reader_.cache_bytes();
  if (!version || version->size_bytes > capacity_bytes) return;
  std::stop_source end;
  const std::stop_callback on_stop(stop, [&end] { end.request_stop(); });
  CacheWarmer warmer(environment_, reader_, end.get_token(), kThreads);
  const auto report = warmer.run({version}, [&](const CacheWarmer::Counts&) {
    if (shard.reading.expired()) end.request_stop();
  });
  if (!report) return log::debug("'{}': {}", shard.name, report.error().to_string());
  for (const CacheWarmer::Failure& failure : report->failures) log::debug("'{}': {}", shard.name, failure.error);
}

}  // namespace cairn
