// Promise 10 of docs/semantics.md, and the promises of rename: whatever write to the store is a host's last one.
#include <gtest/gtest.h>

#include <algorithm>

#include "store/check/check.h"
#include "tests/crash/script.h"
#include "tests/support/faulty_object_store.h"

namespace cairn {
namespace {

// What a host achieved before it died.
struct Outcome {
  size_t acknowledged = 0;  // steps, all before the first failure
  std::string failure;
};

Outcome run_until_failure(const std::vector<Step>& script, TestHost& host) {
  Outcome outcome;
  for (const Step& step : script) {
    if (auto done = step.run(host); !done) {
      outcome.failure = step.what + ": " + done.error().to_string();
      break;
    }
    ++outcome.acknowledged;
  }
  return outcome;
}

std::string findings(ObjectStore& objects) {
  const auto report = check_store(objects, {.read_data = true, .progress = {}}, test_context(Cause::maintenance));
  if (!report) return report.error().to_string();
  std::string text;
  for (const CheckFinding& finding : report->findings) {
    text += fmt::format("  {} ({}): {}\n", finding.path, finding.object, finding.message);
  }
  return text;
}

// The trees that may be found: all that was acknowledged, and the interrupted step in any of its states.
std::vector<Tree> possible_trees(const std::vector<Step>& script, size_t acknowledged) {
  std::vector<Tree> trees{acknowledged == 0 ? Tree() : script[acknowledged - 1].after};
  if (acknowledged == script.size()) return trees;
  const Step& interrupted = script[acknowledged];
  trees.push_back(interrupted.after);
  trees.insert(trees.end(), interrupted.within.begin(), interrupted.within.end());
  return trees;
}

class CrashTest : public ::testing::TestWithParam<FaultEffect> {
 protected:
  static uint64_t writes_of_whole_script() {
    TestStore store;
    FaultyObjectStore network(store.objects());
    {
      TestHost host(network, {.host = "host-counting"});
      const Outcome outcome = run_until_failure(checkpoint_script(), host);
      EXPECT_EQ(outcome.acknowledged, checkpoint_script().size()) << outcome.failure;
      EXPECT_EQ(describe_difference(checkpoint_script().back().after, read_tree(host)), "");
    }
    return network.count(ObjectOperation::put_if_absent);
  }

  static Outcome die_at(uint64_t write, ObjectStore& objects) {
    FaultyObjectStore network(objects);
    TestHost host(network, {.host = "host-dying"});
    network.add({.operation = ObjectOperation::put_if_absent, .nth = write, .effect = GetParam()});
    return run_until_failure(checkpoint_script(), host);
  }

  static void expect_recovered(const Outcome& outcome, ObjectStore& objects) {
    EXPECT_EQ(findings(objects), "");
    TestHost next(objects, {.host = "host-next"});
    // A move between directories is completed by whoever opens its target: the first walk may pass the source before.
    (void)read_tree(next);
    const Tree found = read_tree(next);
    const std::vector<Tree> possible = possible_trees(checkpoint_script(), outcome.acknowledged);
    const bool expected = std::find(possible.begin(), possible.end(), found) != possible.end();
    EXPECT_TRUE(expected) << outcome.failure << "\n" << describe_difference(possible.front(), found);

    EXPECT_TRUE(next.write("afterwards", "still works"));
    EXPECT_TRUE(next.files().shut_down(test_context()));
    EXPECT_EQ(findings(objects), "");
  }
};

INSTANTIATE_TEST_SUITE_P(LastWrite, CrashTest, ::testing::Values(FaultEffect::crash_before, FaultEffect::crash_after),
                         [](const auto& parameter) {
                           return parameter.param == FaultEffect::crash_before ? "is_not_made" : "is_unacknowledged";
                         });

TEST_P(CrashTest, a_host_that_dies_at_any_write_leaves_all_that_was_acknowledged_and_a_clean_store) {
  const uint64_t writes = writes_of_whole_script();
  ASSERT_GT(writes, 30U);
  for (uint64_t write = 1; write <= writes; ++write) {
    SCOPED_TRACE(fmt::format("write {} of {}", write, writes));
    TestStore store;
    const Outcome outcome = die_at(write, store.objects());
    expect_recovered(outcome, store.objects());
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace cairn
