#include "remote/atomic_create_proof.h"

#include <optional>

#include "base/log.h"
#include "base/thread.h"

namespace cairn {

namespace {

constexpr size_t kRacers = 8;
constexpr size_t kRaces = 3;

tl::unexpected<Error> not_kept(std::string_view evidence) {
  return fail(Errc::unsupported,
              "{}. It does not create objects atomically (S3: If-None-Match is not honoured), so commits of different "
              "hosts could undo each other: keep the store elsewhere, or mount this one with --read-only",
              evidence);
}

std::string content_of(size_t racer) { return fmt::format("racer {}", racer); }

// Every reader must see `winner`'s bytes from now on.
Result<void> check_content(ObjectStore& objects, const std::string& key, size_t winner, const RequestContext& context) {
  const auto stored = objects.get(key, {}, context);
  if (!stored) return fail(stored.error());
  if (as_text(stored->view()) == content_of(winner)) return {};
  return not_kept("an object changed after it was created");
}

Result<void> put_twice(ObjectStore& objects, const std::string& key, const RequestContext& context) {
  if (auto first = objects.put_if_absent(key, as_bytes(content_of(0)), context); !first) return first;
  const auto second = objects.put_if_absent(key, as_bytes(content_of(1)), context);
  if (second) return not_kept("an object was created twice");
  if (second.error().code() != Errc::already_exists) return second;
  return check_content(objects, key, 0, context);
}

Result<void> race(ObjectStore& objects, const std::string& key, const RequestContext& context) {
  std::vector<std::optional<Error>> errors(kRacers);
  std::vector<Thread> racers;
  for (size_t racer = 0; racer < kRacers; ++racer) {
    racers.emplace_back("racer", [&, racer](const std::stop_token&) {
      const auto put = objects.put_if_absent(key, as_bytes(content_of(racer)), context);
      if (!put) errors[racer] = put.error();
    });
  }
  racers.clear();
  std::optional<size_t> winner;
  for (size_t racer = 0; racer < kRacers; ++racer) {
    if (errors[racer] && errors[racer]->code() != Errc::already_exists) return fail(*errors[racer]);
    if (errors[racer]) continue;
    if (winner) return not_kept(fmt::format("two of {} writers of one key were told they were first", kRacers));
    winner = racer;
  }
  if (!winner) return not_kept("an object exists that nobody was told to have created");
  return check_content(objects, key, *winner, context);
}

Result<void> prove(ObjectStore& objects, const std::vector<std::string>& keys, const RequestContext& context) {
  auto proven = put_twice(objects, keys.front(), context);
  for (size_t i = 1; proven && i < keys.size(); ++i) proven = race(objects, keys[i], context);
  return proven;
}

}  // namespace

Result<void> prove_atomic_create(ObjectStore& objects, Random& random, const RequestContext& context) {
  const uint64_t run = random.next_u64();
  std::vector<std::string> keys;
  for (size_t i = 0; i <= kRaces; ++i) keys.push_back(fmt::format("probes/{:016x}.{}", run, i));
  const auto proven = prove(objects, keys, context);
  const bool wrote = proven || proven.error().code() == Errc::unsupported;
  if (wrote) {
    const auto removed = objects.remove(keys, context);
    if (!removed) log::warning("small objects stay under probes/: {}", removed.error().message());
  }
  if (!proven) return fail(proven.error().in(objects.describe()));
  return {};
}

}  // namespace cairn
