#include "fs/reach.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace cairn {
namespace {

class ReachTest : public ::testing::Test {
 protected:
  void hangs(EntryId directory) {
    const SteadyTime asked = clock.steady_now();
    clock.advance(std::chrono::seconds(1));
    reach.unanswered(directory, asked, Error(Errc::deadline_exceeded, "no answer"));
  }
  void answers(EntryId directory) {
    clock.advance(std::chrono::milliseconds(1));
    reach.answered(directory, clock.steady_now());
  }

  FakeClock clock;
  Reach reach{clock};
};

TEST_F(ReachTest, a_directory_that_hangs_says_nothing_of_others) {
  hangs(1);
  EXPECT_TRUE(reach.is_hanging(1));
  EXPECT_FALSE(reach.is_hanging(2));
}

TEST_F(ReachTest, two_directories_that_hang_are_a_store_that_hangs) {
  hangs(1);
  hangs(2);
  EXPECT_TRUE(reach.is_hanging(3));
}

TEST_F(ReachTest, an_answer_in_between_shows_that_the_store_does_not_hang) {
  hangs(1);
  answers(3);
  hangs(2);
  EXPECT_TRUE(reach.is_hanging(1));
  EXPECT_TRUE(reach.is_hanging(2));
  EXPECT_FALSE(reach.is_hanging(3));
}

TEST_F(ReachTest, the_same_directory_twice_is_still_one) {
  hangs(1);
  hangs(1);
  EXPECT_FALSE(reach.is_hanging(2));
}

TEST_F(ReachTest, a_directory_is_asked_again_after_a_while) {
  hangs(1);
  clock.advance(std::chrono::seconds(5));
  EXPECT_FALSE(reach.is_hanging(1));
}

TEST_F(ReachTest, an_answer_ends_the_outage_and_the_pause) {
  hangs(1);
  EXPECT_TRUE(reach.outage());
  answers(1);
  EXPECT_FALSE(reach.outage());
  EXPECT_FALSE(reach.is_hanging(1));
}

}  // namespace
}  // namespace cairn
