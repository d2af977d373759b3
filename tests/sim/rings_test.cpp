// Hosts that move directories into each other in the same instant, in every order that a seed gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "base/thread.h"
#include "store/check/check.h"
#include "tests/sim/interleaved_object_store.h"
#include "tests/support/test_host.h"

namespace cairn {
namespace {

// More for a longer look: CAIRN_SIM_SEEDS=10000.
uint64_t seeds() {
  const char* wanted = std::getenv("CAIRN_SIM_SEEDS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 100;
}

struct Wish {
  std::string from;
  std::string to;
};

// Every host has one move to make; together they would be a ring.
struct Game {
  std::vector<Wish> wishes;
  RenameMode mode = RenameMode::replace;
  uint64_t dies_at = 0;  // the record at whose put the first host is gone; 0: never
};

struct Played {
  std::vector<int> answers;                   // errno, by host
  std::map<std::string, std::string> places;  // of each directory, by its name
  std::vector<std::string> findings;
};

// rename(2): the kernel walks a path again after ESTALE, and a program does.
int move(TestHost& host, const Wish& wish, RenameMode mode) {
  for (int walks = 0; walks < 20; ++walks) {
    const int answer = errno_of(host.rename(wish.from, wish.to, mode));
    if (answer != ESTALE) return answer;
  }
  return ESTALE;
}

void look_around(TestHost& host, const std::string& path, Played& played) {
  const auto names = host.list(path);
  if (!names) played.findings.push_back(path + ": " + names.error().to_string());
  if (!names || path.size() > 100) return;
  for (const std::string& name : *names) {
    const std::string below = path.empty() ? name : path + "/" + name;
    const bool is_new = played.places.try_emplace(name, below).second;
    if (!is_new) played.findings.push_back(name + " is in two places: " + played.places[name] + " and " + below);
    look_around(host, below, played);
  }
}

// Each "a" is made with a directory "a1" in it.
void make_tree(TestHost& host, size_t hosts) {
  for (size_t i = 0; i < hosts; ++i) {
    const std::string letter(1, static_cast<char>('a' + i));
    const std::string home = "home-of-" + letter;
    EXPECT_TRUE(host.mkdir(home));
    EXPECT_TRUE(host.mkdir(home + "/" + letter));
    EXPECT_TRUE(host.mkdir(home + "/" + letter + "/" + letter + "1"));
  }
}

Played play(uint64_t seed, const Game& game) {
  Played played;
  SeededScheduler scheduler(seed);
  TestStore store;
  {
    TestHost maker(store.objects(), {.host = "maker", .clock = &system_clock(), .random_seed = 17 * seed});
    make_tree(maker, game.wishes.size());
  }
  {
    InterleavedObjectStore network(store.objects(), scheduler);
    std::vector<std::unique_ptr<FaultyObjectStore>> wires;
    std::vector<std::unique_ptr<TestHost>> hosts;
    for (size_t i = 0; i < game.wishes.size(); ++i) {
      wires.push_back(std::make_unique<FaultyObjectStore>(network));
      hosts.push_back(std::make_unique<TestHost>(
          *wires[i],
          TestHostOptions{.host = std::to_string(i), .clock = &system_clock(), .random_seed = 17 * seed + i + 1}));
    }
    if (game.dies_at > 0) {
      wires[0]->add({.operation = ObjectOperation::put_if_absent,
                     .key_prefix = "dirs/",
                     .nth = game.dies_at,
                     .effect = seed % 2 == 0 ? FaultEffect::crash_before : FaultEffect::crash_after});
    }
    played.answers.resize(hosts.size());
    {
      std::vector<std::unique_ptr<Thread>> movers;
      for (size_t i = 0; i < hosts.size(); ++i) {
        movers.push_back(std::make_unique<Thread>("mover", [&, i](const std::stop_token&) {
          played.answers[i] = move(*hosts[i], game.wishes[i], game.mode);
        }));
      }
    }
  }
  TestHost next(store.objects(), {.host = "next", .clock = &system_clock(), .random_seed = 17 * seed + 16});
  look_around(next, "", played);
  const auto report = check_store(store.objects(), {.read_data = false, .progress = {}}, test_context());
  if (!report || !report->clean()) played.findings.emplace_back("the check is not clean");
  return played;
}

// Nothing is cut off or doubled.
void expect_whole_tree(const Played& played, size_t hosts) {
  ASSERT_THAT(played.findings, testing::IsEmpty());
  for (size_t i = 0; i < hosts; ++i) {
    const std::string letter(1, static_cast<char>('a' + i));
    ASSERT_TRUE(played.places.contains(letter)) << letter << " cannot be reached";
    ASSERT_TRUE(played.places.contains(letter + "1")) << letter << "1 cannot be reached";
  }
}

// What a move may be answered that would have closed the ring, or whose path another has moved away.
bool is_refusal(int answer) { return answer == EINVAL || answer == ENOENT || answer == ESTALE || answer == ENOTEMPTY; }

class Rings : public testing::Test {
 protected:
  // Some move happens in every order, and in some orders each one.
  void play_all(const Game& game) {
    std::map<size_t, uint64_t> won;
    for (uint64_t seed = test_seed(); seed < test_seed() + seeds(); ++seed) {
      SCOPED_TRACE(seed);
      const Played played = play(seed, game);
      ASSERT_NO_FATAL_FAILURE(expect_whole_tree(played, game.wishes.size()));
      size_t moved = 0;
      for (size_t i = 0; i < played.answers.size(); ++i) {
        const bool happened = played.answers[i] == 0;
        ASSERT_TRUE(happened || is_refusal(played.answers[i])) << "errno " << played.answers[i];
        moved += happened ? 1 : 0;
        won[i] += happened ? 1 : 0;
      }
      ASSERT_GT(moved, 0U);
      ASSERT_LT(moved, game.wishes.size());
    }
    EXPECT_EQ(won.size(), game.wishes.size());
    for (const auto& [host, times] : won) EXPECT_GT(times, 0U) << host;
  }
};

const std::vector<Wish> kTwo = {{"home-of-a/a", "home-of-b/b/b1/a"}, {"home-of-b/b", "home-of-a/a/a1/b"}};
const std::vector<Wish> kThree = {
    {"home-of-a/a", "home-of-b/b/b1/a"}, {"home-of-b/b", "home-of-c/c/c1/b"}, {"home-of-c/c", "home-of-a/a/a1/c"}};

TEST_F(Rings, two_hosts_that_move_two_directories_into_each_other_make_no_ring) { play_all({.wishes = kTwo}); }

TEST_F(Rings, three_hosts_that_move_three_directories_around_make_no_ring) { play_all({.wishes = kThree}); }

TEST_F(Rings, two_hosts_that_exchange_directories_with_what_is_in_the_other_make_no_ring) {
  play_all(
      {.wishes = {{"home-of-a/a", "home-of-b/b/b1"}, {"home-of-b/b", "home-of-a/a/a1"}}, .mode = RenameMode::exchange});
}

TEST_F(Rings, a_host_that_dies_on_the_way_leaves_no_ring_and_stops_nobody) {
  for (uint64_t seed = test_seed(); seed < test_seed() + seeds(); ++seed) {
    SCOPED_TRACE(seed);
    const Played played = play(seed, {.wishes = kTwo, .dies_at = 1 + seed % 4});
    ASSERT_NO_FATAL_FAILURE(expect_whole_tree(played, 2));
    const int answer = played.answers[1];
    ASSERT_TRUE(answer == 0 || is_refusal(answer)) << "errno " << answer;
    ASSERT_TRUE(answer == 0 || played.places.at("a") == kTwo[0].to) << "nobody had moved anything";
  }
}

}  // namespace
}  // namespace cairn
