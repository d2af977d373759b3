#include "base/request_context.h"

#include <gtest/gtest.h>

namespace cairn {

using std::chrono::hours;
using std::chrono::seconds;

TEST(RequestContext, is_live_until_its_deadline) {
  EXPECT_TRUE(RequestContext::within(hours(1)).check());
  const auto late = RequestContext::within(seconds(-1)).check();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Errc::deadline_exceeded);
}

TEST(RequestContext, ends_when_its_owner_says_stop) {
  std::stop_source owner;
  const auto context = RequestContext::within(hours(1), Cause::demand, owner.get_token());
  EXPECT_TRUE(context.check());
  owner.request_stop();
  ASSERT_FALSE(context.check());
  EXPECT_EQ(context.check().error().code(), Errc::cancelled);
}

TEST(RequestContext, a_stop_is_the_better_reason_than_a_deadline) {
  std::stop_source owner;
  owner.request_stop();
  const auto context = RequestContext::within(seconds(-1), Cause::demand, owner.get_token());
  EXPECT_EQ(context.check().error().code(), Errc::cancelled);
}

TEST(RequestContext, can_only_be_shortened) {
  const auto context = RequestContext::within(seconds(10));
  EXPECT_EQ(context.no_longer_than(hours(1)).deadline, context.deadline);
  EXPECT_LT(context.no_longer_than(seconds(1)).deadline, context.deadline);
}

TEST(RequestContext, has_no_time_remaining_rather_than_less) {
  EXPECT_EQ(RequestContext::within(seconds(-5)).remaining().count(), 0);
  EXPECT_GT(RequestContext::within(hours(1)).remaining(), seconds(3500));
}

TEST(RequestContext, another_cause_keeps_the_deadline_and_the_stop) {
  std::stop_source owner;
  const auto demand = RequestContext::within(hours(1), Cause::demand, owner.get_token());
  const auto prefetch = demand.with_cause(Cause::prefetch);
  EXPECT_EQ(prefetch.cause, Cause::prefetch);
  EXPECT_EQ(prefetch.deadline, demand.deadline);
  owner.request_stop();
  EXPECT_FALSE(prefetch.check());
}

}  // namespace cairn
