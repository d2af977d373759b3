#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/random.h"
#include "tests/support/fake_clock.h"

namespace cairn {

TEST(SystemClock, never_goes_back_and_knows_the_century) {
  const SteadyTime before = system_clock().steady_now();
  EXPECT_LE(before, system_clock().steady_now());
  EXPECT_GT(system_clock().wall_now(), 1'700'000'000'000'000'000);  // 2023
}

TEST(FakeClock, moves_by_hand_alone) {
  FakeClock clock;
  const Nanos wall = clock.wall_now();
  const SteadyTime steady = clock.steady_now();
  EXPECT_EQ(clock.wall_now(), wall);
  clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(clock.wall_now() - wall, 2'000'000'000);
  EXPECT_EQ(clock.steady_now() - steady, std::chrono::seconds(2));
}

TEST(SeededRandom, repeats_itself_from_the_same_seed) {
  SeededRandom one(42);
  SeededRandom same(42);
  SeededRandom other(43);
  const uint64_t first = one.next_u64();
  EXPECT_EQ(first, same.next_u64());
  EXPECT_NE(first, other.next_u64());
  EXPECT_NE(first, one.next_u64());
}

TEST(KernelRandom, does_not_repeat_itself) {
  KernelRandom random;
  EXPECT_NE(random.next_u64(), random.next_u64());
}

}  // namespace cairn
