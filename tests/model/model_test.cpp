// Generated operations on a FileSystem and on a plain tree in memory must give the same results, contents and errors.
//
// rapidcheck prints its seed, and for a failure the shrunk operations with a line that repeats it. For a long run:
//   RC_PARAMS="max_success=5000 max_size=100" test_model
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>

#include "tests/model/comparison.h"
#include "tests/model/failing_hosts.h"

namespace cairn::model {
namespace {

const std::vector<Act> kNamesAndAttributes = {
    Act::mkdir,     Act::mkdir,       Act::rmdir,      Act::unlink,   Act::symlink,     Act::rename,  Act::rename,
    Act::rename,    Act::write_file,  Act::write_file, Act::truncate, Act::chmod,       Act::utimens, Act::set_xattr,
    Act::set_xattr, Act::append_file, Act::patch_file, Act::restart,  Act::remove_xattr};

const std::vector<Act> kOpenFiles = {
    Act::open,   Act::open,   Act::open,     Act::open,     Act::close,   Act::write,      Act::write,
    Act::write,  Act::resize, Act::sync,     Act::allocate, Act::seek,    Act::unlink,     Act::rename,
    Act::rename, Act::mkdir,  Act::truncate, Act::chmod,    Act::utimens, Act::write_file, Act::append_file};

void compare(const std::vector<Operation>& operations, int hosts) {
  Comparison comparison(hosts);
  for (size_t i = 0; i < operations.size(); ++i) {
    const std::string difference = comparison.step(operations[i]);
    if (!difference.empty()) RC_FAIL(fmt::format("step {}: {}", i + 1, difference));
  }
  const std::string difference = comparison.finish();
  if (!difference.empty()) RC_FAIL(difference);
}

RC_GTEST_PROP(Model, one_host_does_what_a_plain_tree_does, ()) { compare(*operations(kNamesAndAttributes, 1), 1); }

RC_GTEST_PROP(Model, open_files_do_what_those_of_a_plain_tree_do, ()) { compare(*operations(kOpenFiles, 1), 1); }

RC_GTEST_PROP(Model, two_hosts_that_take_turns_are_one_plain_tree, ()) {
  compare(*operations(kNamesAndAttributes, 2), 2);
}

RC_GTEST_PROP(Model, failing_hosts_lose_nothing_and_bury_nothing, ()) {
  const auto played = *steps();
  FailingHosts hosts;
  for (size_t i = 0; i < played.size(); ++i) {
    const std::string wrong = hosts.play(played[i]);
    if (!wrong.empty()) RC_FAIL(fmt::format("step {}: {}", i + 1, wrong));
  }
  const std::string wrong = hosts.finish();
  if (!wrong.empty()) RC_FAIL(wrong);
}

}  // namespace
}  // namespace cairn::model
