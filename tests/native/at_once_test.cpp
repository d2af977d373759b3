// Calls of several processes at the same moment, on a few files: no call fails for the way in which others have a node
// open.
#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "tests/native/native_mount_test.h"

namespace cairn {
namespace {

constexpr std::string_view kWord = "CAIRNfs ";  // all that is ever written

class AtOnce : public NativeMountTest {
 protected:
  struct Slot {
    bool writable = false;
    uint64_t mapped = 0;
  };
  struct Planned {
    Worker::Order order;
    std::set<int> may_fail_with{};
  };

  static std::string words(size_t count) {
    std::string bytes;
    for (size_t i = 0; i < count; ++i) bytes += kWord;
    return bytes;
  }

  Planned plan_open(std::map<int, Slot>& slots) {
    int slot = 0;
    while (slots.contains(slot)) ++slot;
    if (slot >= 8) return plan_close(slots);
    const uint64_t kind = any(24);
    slots[slot] = {.writable = kind < 4};
    const int flags = kind == 0 ? O_RDWR | O_CREAT | O_TRUNC : kind == 1 ? O_RDWR | O_CREAT : kind < 4 ? O_RDWR : 0;
    return {{.call = WorkerCall::open, .slot = slot, .flags = flags, .path = mount->path(some_name())}, {ENOENT}};
  }

  Planned plan_close(std::map<int, Slot>& slots) {
    const auto it = std::next(slots.begin(), static_cast<std::ptrdiff_t>(any(slots.size())));
    const auto [slot, what] = *it;
    if (what.mapped > 0) {
      it->second.mapped = 0;
      return {{.call = WorkerCall::unmap, .slot = slot, .size = what.mapped}};
    }
    slots.erase(it);
    return {{.call = WorkerCall::close, .slot = slot}};
  }

  Planned plan(std::map<int, Slot>& slots) {
    if (slots.empty()) return plan_open(slots);
    const auto it = std::next(slots.begin(), static_cast<std::ptrdiff_t>(any(slots.size())));
    auto& [slot, what] = *it;
    switch (any(16)) {
      case 0:
        if (what.writable) {
          return {{.call = WorkerCall::write, .slot = slot, .offset = any(2000) * kWord.size(), .path = words(100)}};
        }
        return plan_close(slots);
      case 1:
        return {{.call = WorkerCall::truncate, .offset = any(10) * 800, .path = mount->path(some_name())}, {ENOENT}};
      case 2:
        return {{.call = WorkerCall::rename, .path = mount->path(some_name()), .to = mount->path(some_name())},
                {ENOENT}};
      case 3: return {{.call = WorkerCall::unlink, .path = mount->path(some_name())}, {ENOENT}};
      case 4:
        if (what.mapped > 0) {
          return {{.call = WorkerCall::read_map, .slot = slot, .size = what.mapped}, {EFAULT}};
        }
        what.mapped = 4096;
        return {{.call = WorkerCall::map, .slot = slot, .size = 4096}};
      case 5:
      case 6: return {{.call = WorkerCall::read, .slot = slot, .offset = any(100) * kWord.size(), .size = 8000}};
      case 7:
      case 8: return plan_close(slots);
      default: return plan_open(slots);
    }
  }

  static bool is_made_of_words(const std::string& bytes) {
    for (size_t at = 0; at + kWord.size() <= bytes.size(); at += kWord.size()) {
      const std::string_view word = std::string_view(bytes).substr(at, kWord.size());
      if (word != kWord && word.find_first_not_of('\0') != word.npos) return false;
    }
    return true;
  }
};

TEST_F(AtOnce, calls_that_meet_fail_for_names_that_are_gone_and_for_nothing_else) {
  std::vector<std::map<int, Slot>> slots(kWorkers);
  const uint64_t rounds = steps_or(1500);
  for (uint64_t round = 0; round < rounds; ++round) {
    if (any(3) == 0) a->clock().advance(std::chrono::minutes(11));
    std::vector<Planned> planned;
    for (size_t i = 0; i < kWorkers; ++i) {
      planned.push_back(plan(slots[i]));
      workers[i]->send(planned.back().order);
    }
    if (any(10) == 0) {
      const std::string name = some_name();
      const auto saved = b->write(name, words(5000));  // another host's, at the same moment
      EXPECT_TRUE(saved || saved.error().code() == Errc::conflict) << saved.error().to_string();
    }
    if (any(20) == 0) images->hide(any(3) == 0);
    if (any(20) == 0) images->evict();
    for (size_t i = 0; i < kWorkers; ++i) {
      const auto answer = workers[i]->wait();
      const auto& [order, may_fail_with] = planned[i];
      EXPECT_TRUE(answer.error == 0 || may_fail_with.contains(answer.error))
          << "round " << round << ", call " << static_cast<int>(order.call) << " flags " << order.flags << ": "
          << std::strerror(answer.error);
      EXPECT_TRUE(is_made_of_words(answer.bytes));
      if (order.call == WorkerCall::open && answer.error != 0) slots[i].erase(order.slot);
    }
    ASSERT_FALSE(HasFailure());
  }
  std::cout << native_reads().opens << " native opens\n";
}

}  // namespace
}  // namespace cairn
