#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace cairn {

namespace {

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }
int open_something() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

TEST(UniqueFd, closes_when_it_goes) {
  const int fd = open_something();
  {
    const UniqueFd owner(fd);
    EXPECT_TRUE(owner.valid());
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, a_move_takes_the_descriptor_along) {
  UniqueFd first(open_something());
  const int fd = first.get();
  UniqueFd second(std::move(first));
  UniqueFd third(open_something());
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_EQ(third.get(), fd);
  EXPECT_TRUE(is_open(fd));
  EXPECT_FALSE(is_open(replaced));
}

TEST(UniqueFd, a_released_descriptor_stays_open) {
  UniqueFd owner(open_something());
  const int fd = owner.release();
  EXPECT_FALSE(owner.valid());
  EXPECT_TRUE(is_open(fd));
  close(fd);
}

}  // namespace cairn
