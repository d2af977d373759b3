// Any order of opens, mappings, writers, renames, other hosts' saves and evictions: the kernel never finds a node open
// in two ways (EIO), and every byte is one that docs/semantics.md allows.
#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "tests/native/native_mount_test.h"

namespace cairn {
namespace {

constexpr size_t kDescriptors = 24;

// What a file has been since it was made or replaced by another host: everything that its bytes were, in order.
struct Lineage {
  std::vector<std::shared_ptr<const std::string>> states;
  size_t writers = 0;
  [[nodiscard]] const std::string& now() const { return *states.back(); }
  [[nodiscard]] size_t last() const { return states.size() - 1; }
  void becomes(std::string bytes) { states.push_back(std::make_shared<const std::string>(std::move(bytes))); }
};

struct Descriptor {
  size_t worker = 0;
  int slot = 0;
  std::shared_ptr<Lineage> of;
  size_t from = 0;      // it shows no state before this one,
  bool native = false;  // nor any after it
  bool live = false;    // it shows the last one
  bool writable = false;
  uint64_t mapped = 0;
};

class RandomOrders : public NativeMountTest {
 protected:
  std::string bytes(size_t size) { return std::string(as_text(random_bytes(size, random()).view())); }
  size_t some_size() { return 1 + any(kMaxBytes); }
  std::shared_ptr<Lineage> named(const std::string& name) { return names.contains(name) ? names[name] : nullptr; }

  Worker::Answer ask(size_t worker, const Worker::Order& order) { return workers[worker]->call(order); }
  // One that must do.
  Worker::Answer done(size_t worker, const Worker::Order& order, const std::string& what) {
    Worker::Answer answer = ask(worker, order);
    EXPECT_EQ(answer.error, 0) << what << ": " << std::strerror(answer.error);
    return answer;
  }

  int free_slot(size_t worker) const {
    for (int slot = 0; slot < Worker::kSlots; ++slot) {
      const auto is_it = [&](const Descriptor& it) { return it.worker == worker && it.slot == slot; };
      if (std::ranges::none_of(open, is_it)) return slot;
    }
    return -1;
  }

  void open_to_read(const std::string& name) {
    Descriptor made{.worker = any(kWorkers), .of = names.at(name)};
    made.slot = free_slot(made.worker);
    const uint64_t before = native_reads().opens;
    const auto answer = ask(made.worker, {.call = WorkerCall::open, .slot = made.slot, .path = mount->path(name)});
    ASSERT_EQ(answer.error, 0) << "read " << name << ": " << std::strerror(answer.error);
    made.from = made.of->last();
    made.native = native_reads().opens > before;
    made.live = made.of->writers > 0;
    EXPECT_FALSE(made.native && made.live) << "what somebody writes is not read natively";
    natives += made.native ? 1 : 0;
    open.push_back(made);
    check_all(open.back());
  }

  void open_again(const Descriptor& source) {
    Descriptor made = source;
    made.mapped = 0;
    made.slot = free_slot(made.worker);
    made.writable = false;
    const uint64_t before = native_reads().opens;
    const auto answer =
        ask(made.worker, {.call = WorkerCall::open_again, .slot = made.slot, .from = source.slot, .flags = O_RDONLY});
    ASSERT_EQ(answer.error, 0) << "read again: " << std::strerror(answer.error);
    made.native = native_reads().opens > before;
    EXPECT_EQ(made.native, source.native) << "a node is open in one way";
    open.push_back(made);
    check_all(open.back());
  }

  void try_to_write_again(const Descriptor& source) {
    const int slot = free_slot(source.worker);
    const auto answer =
        ask(source.worker, {.call = WorkerCall::open_again, .slot = slot, .from = source.slot, .flags = O_RDWR});
    EXPECT_EQ(answer.error, source.native ? ETXTBSY : 0) << std::strerror(answer.error);
    if (answer.error == 0) done(source.worker, {.call = WorkerCall::close, .slot = slot}, "close");
  }

  void open_to_write(const std::string& name, bool truncates) {
    Descriptor made{.worker = any(kWorkers), .of = named(name), .live = true, .writable = true};
    made.slot = free_slot(made.worker);
    const int flags = O_RDWR | O_CREAT | (truncates ? O_TRUNC : 0);
    done(made.worker, {.call = WorkerCall::open, .slot = made.slot, .flags = flags, .path = mount->path(name)},
         "write " + name);
    if (!made.of) made.of = names[name] = std::make_shared<Lineage>(Lineage{{std::make_shared<std::string>()}});
    if (truncates && !made.of->now().empty()) made.of->becomes("");
    made.from = made.of->last();
    ++made.of->writers;
    open.push_back(made);
    if (truncates || made.of->now().empty()) write(open.back(), 0, bytes(some_size()));
    check_all(open.back());
  }

  void write(Descriptor& to, uint64_t offset, const std::string& what) {
    done(to.worker, {.call = WorkerCall::write, .slot = to.slot, .offset = offset, .path = what}, "write");
    std::string now = to.of->now();
    now.resize(std::max<size_t>(now.size(), offset + what.size()));
    now.replace(offset, what.size(), what);
    to.of->becomes(std::move(now));
  }

  // The states that it may show, from the oldest on.
  template <class Matches>
  bool matches_one(Descriptor& it, const Matches& matches) {
    const size_t last = it.native ? it.from : it.of->last();
    for (size_t state = it.live ? last : it.from; state <= last; ++state) {
      if (!matches(*it.of->states[state])) continue;
      it.from = state;
      return true;
    }
    return false;
  }

  void check_bytes(Descriptor& it, uint64_t offset, uint64_t size) {
    const auto read =
        done(it.worker, {.call = WorkerCall::read, .slot = it.slot, .offset = offset, .size = size}, "read");
    EXPECT_TRUE(matches_one(it,
                            [&](const std::string& state) {
                              return read.bytes == (offset < state.size() ? state.substr(offset, size) : "");
                            }))
        << "read " << read.bytes.size() << " of " << size << " bytes at " << offset;
    if (it.mapped <= offset) return;
    const uint64_t mapped = std::min(size, it.mapped - offset);
    const auto seen = ask(it.worker, {.call = WorkerCall::read_map, .slot = it.slot, .offset = offset, .size = mapped});
    EXPECT_TRUE(seen.error == 0 || (seen.error == EFAULT && !it.native)) << std::strerror(seen.error);
    EXPECT_TRUE(matches_one(it,
                            [&](const std::string& state) {
                              // Behind the end, to the end of its page, are zeros; behind that page nothing is.
                              std::string page = state;
                              page.resize((state.size() + 4095) / 4096 * 4096);
                              return seen.bytes == (offset < page.size() ? page.substr(offset, mapped) : "") ||
                                     (seen.error == EFAULT && page.size() < offset + mapped);
                            }))
        << "a mapping, " << mapped << " bytes at " << offset;
  }

  void check_all(Descriptor& it) {
    const auto size = done(it.worker, {.call = WorkerCall::size, .slot = it.slot}, "fstat");
    EXPECT_TRUE(matches_one(it, [&](const std::string& state) { return state.size() == size.size; })) << size.size;
    check_bytes(it, 0, kMaxBytes + 1);
  }

  void map(Descriptor& it) {
    const uint64_t size = done(it.worker, {.call = WorkerCall::size, .slot = it.slot}, "fstat").size;
    if (size == 0 || it.mapped > 0) return;
    done(it.worker, {.call = WorkerCall::map, .slot = it.slot, .size = size}, "mmap");
    it.mapped = size;
  }

  void close(size_t index) {
    const Descriptor it = open[index];
    if (it.mapped > 0) done(it.worker, {.call = WorkerCall::unmap, .slot = it.slot, .size = it.mapped}, "munmap");
    done(it.worker, {.call = WorkerCall::close, .slot = it.slot}, "close");
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(index));
    if (!it.writable || --it.of->writers > 0) return;
    for (Descriptor& other : open) {
      if (other.of == it.of) other.live = false;
    }
  }

  void truncate(const std::string& name) {
    const uint64_t size = any(kMaxBytes);
    done(any(kWorkers), {.call = WorkerCall::truncate, .offset = size, .path = mount->path(name)}, "truncate");
    std::string now = names.at(name)->now();
    now.resize(size);
    names.at(name)->becomes(std::move(now));
  }

  void rename(const std::string& from, const std::string& to) {
    if (from == to) return;
    done(any(kWorkers), {.call = WorkerCall::rename, .path = mount->path(from), .to = mount->path(to)}, "rename");
    names[to] = names.at(from);
    names.erase(from);
  }

  void save_elsewhere(const std::string& name) {
    ASSERT_TRUE(a->files().sync_all(test_context()));
    const std::string content = bytes(some_size());
    const auto saved = b->write(name, content);
    ASSERT_TRUE(saved) << saved.error().to_string();
    names[name] = std::make_shared<Lineage>(Lineage{{std::make_shared<const std::string>(content)}});
  }

  void step() {
    const std::string name = some_name();
    const auto file = named(name);
    const bool is_written = file && file->writers > 0;
    const bool has_room = open.size() < kDescriptors;
    const size_t index = open.empty() ? 0 : any(open.size());
    switch (any(30)) {
      case 0: return has_room ? open_to_write(name, any(2) == 0) : void();
      case 1: return !is_written && has_room ? open_to_write(name, true) : void();
      case 2: return file ? truncate(name) : void();
      case 3:
        if (!open.empty() && open[index].writable)
          write(open[index], any(open[index].of->now().size() + 1), bytes(500));
        return;
      case 4: {
        const std::string to = some_name();
        const auto replaced = named(to);
        return file && !is_written && (!replaced || replaced->writers == 0) ? rename(name, to) : void();
      }
      case 5:
        if (!file || is_written) return;
        done(any(kWorkers), {.call = WorkerCall::unlink, .path = mount->path(name)}, "unlink");
        names.erase(name);
        return;
      case 6:
      case 7: return !is_written ? save_elsewhere(name) : void();
      case 8:
      case 9: return images->hide(any(3) == 0);
      case 10: return images->evict();
      case 11:
      case 12: return a->clock().advance(std::chrono::minutes(11));
      case 13: return !open.empty() ? map(open[index]) : void();
      case 14: return !open.empty() ? check_all(open[index]) : void();
      case 15: return !open.empty() ? check_bytes(open[index], any(kMaxBytes), 1 + any(20'000)) : void();
      case 16: return !open.empty() && has_room ? open_again(Descriptor(open[index])) : void();
      case 17: return !open.empty() ? try_to_write_again(Descriptor(open[index])) : void();
      case 18:
      case 19:
      case 20:
      case 21: return close_writer();
      case 22:
      case 23:
      case 24: return !open.empty() ? close(index) : void();
      default: return file && has_room ? open_to_read(name) : void();
    }
  }

  void close_writer() {
    const auto found = std::ranges::find_if(open, [](const Descriptor& it) { return it.writable; });
    if (found != open.end()) close(static_cast<size_t>(found - open.begin()));
  }

  std::map<std::string, std::shared_ptr<Lineage>> names;
  std::vector<Descriptor> open;
  uint64_t natives = 0;
};

TEST_F(RandomOrders, no_order_of_calls_fails_or_shows_bytes_that_it_should_not) {
  const uint64_t steps = steps_or(4000);
  for (uint64_t at = 0; at < steps; ++at) {
    step();
    ASSERT_FALSE(HasFailure()) << "step " << at;
  }
  while (!open.empty()) close(open.size() - 1);
  std::cout << natives << " native opens in " << steps << " steps\n";
  EXPECT_TRUE(!is_native_possible() || natives > steps / 50);
}

}  // namespace
}  // namespace cairn
