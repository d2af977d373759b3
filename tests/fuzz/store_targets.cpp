#include "tests/fuzz/store_targets.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "base/check.h"
#include "base/log.h"
#include "remote/memory_object_store.h"
#include "store/check/check.h"
#include "tests/fuzz/forged_store.h"
#include "tests/support/test_host.h"

namespace cairn::fuzz {

namespace {

constexpr int kMostPaths = 60;
constexpr size_t kDeepest = 8;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
constexpr bool kIsSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kIsSanitized = false;
#endif

// A sanitizer takes several times what it watches.
constexpr std::chrono::seconds kMostTime{kIsSanitized ? 30 : 5};
constexpr uint64_t kMostMemories = kIsSanitized ? 16 : 2;

uint64_t peak_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) << 10;
}

uint64_t resident_bytes() {
  uint64_t whole = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> whole >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Runs `what`, and asks how long it took and how much memory.
template <class What>
void within_bounds(const What& what) {
  static const bool quiet = (log::configure(log::Level::error), true);
  check(quiet, "nobody reads what is said of a forged store");
  const uint64_t most_bytes = kMostMemories * TestEnvironmentOptions{}.memory_bytes;
  const uint64_t resident = resident_bytes();
  const uint64_t peak = peak_bytes();
  const auto begin = std::chrono::steady_clock::now();
  what();
  check(std::chrono::steady_clock::now() - begin < kMostTime, "an input is done with in five seconds");
  check(peak_bytes() == peak || peak_bytes() < resident + most_bytes, "an input takes no more than twice the memory");
}

TestHostOptions forged_host() { return {.random_seed = 7, .cache_bytes = 0, .may_not_open = true}; }

void read_some(TestHost& host, const std::string& path) {
  const auto handle = host.open(path, O_RDONLY);
  if (!handle) return;
  Buffer out(128U << 10);
  const auto context = test_context();
  const auto size = host.stat(path);
  (void)host.files().read(*handle, 0, out.mutable_view(), context);
  if (size) (void)host.files().read(*handle, size->attributes.size_bytes - 1, out.mutable_view(), context);
  if (size) (void)host.files().read(*handle, size->attributes.size_bytes / 2, out.mutable_view(), context);
  (void)host.files().seek(*handle, 0, SEEK_DATA, context);
  (void)host.files().seek(*handle, 1, SEEK_HOLE, context);
  host.files().release(*handle);
}

std::string below(const std::string& path, const std::string& name) { return path.empty() ? name : path + "/" + name; }

void look_at(TestHost& host, const std::string& path, Kind kind) {
  (void)host.list_xattrs(path);
  if (kind == Kind::symlink) (void)host.readlink(path);
  if (kind == Kind::file) read_some(host, path);
}

// Breadth first, so that a cycle does not hide everything else.
void walk(TestHost& host) {
  std::vector<std::pair<std::string, size_t>> paths{{"", 0}};
  for (size_t at = 0; at < paths.size(); ++at) {
    const auto [path, depth] = paths[at];
    const auto names = host.list(path);
    if (!names) continue;
    const auto former = host.list(below(path, ".versions"));
    for (const std::string& name : former.value_or(std::vector<std::string>())) {
      const auto numbers = host.list(below(path, ".versions/" + name));
      if (numbers && !numbers->empty()) read_some(host, below(path, ".versions/" + name + "/" + numbers->back()));
    }
    for (const std::string& name : *names) {
      const auto found = host.stat(below(path, name));
      if (!found) continue;
      look_at(host, below(path, name), found->attributes.kind);
      const bool goes_on = found->attributes.kind == Kind::directory && depth < kDeepest;
      if (goes_on && paths.size() < kMostPaths) paths.emplace_back(below(path, name), depth + 1);
    }
  }
}

std::string any_path(Tape& tape) {
  std::string path = StoreForger::name(tape.byte());
  for (size_t depth = tape.below(4); depth > 0; --depth) path += "/" + StoreForger::name(tape.byte());
  return path;
}

void change(TestHost& host, Tape& tape) {
  const std::string path = any_path(tape);
  switch (tape.below(10)) {
    case 0: (void)host.write(path, "new"); break;
    case 1: (void)host.unlink(path); break;
    case 2: (void)host.mkdir(path); break;
    case 3: (void)host.rmdir(path); break;
    case 4: (void)host.rename(path, any_path(tape)); break;
    case 5: (void)host.rename(path, any_path(tape), RenameMode::exchange); break;
    case 6: (void)host.truncate(path, tape.number()); break;
    case 7: (void)host.set_xattr(path, "user.y", "value"); break;
    case 8: (void)host.symlink("a", path); break;
    default: (void)host.rename(path, StoreForger::name(tape.byte())); break;
  }
}

// Saves over the file what its chunks would hold if nobody had forged them: that must be readable afterwards.
void save_over(TestHost& host, const std::string& path, size_t first_chunk) {
  std::string content;
  for (size_t i = 0; i < 2; ++i) content += as_text(StoreForger::chunk_bytes(first_chunk + i));
  if (!host.write(path, content)) return;
  const auto again = host.read(path);
  check(again && *again == content, "what was saved can be read, whatever was there before");
}

}  // namespace

void forged_tree(ByteView bytes) {
  MemoryObjectStore objects("forged");
  Tape tape(bytes);
  StoreForger(objects, tape).forge_tree();
  within_bounds([&] {
    TestHost host(objects, forged_host());
    if (!host.is_open()) return;
    walk(host);
    for (int i = 0; i < 8 && !tape.is_empty(); ++i) change(host, tape);
    walk(host);
  });
}

void forged_files(ByteView bytes) {
  MemoryObjectStore objects("forged");
  Tape tape(bytes);
  StoreForger(objects, tape).forge_files();
  within_bounds([&] {
    TestHost host(objects, forged_host());
    if (!host.is_open()) return;
    walk(host);
    for (size_t i = 0; i < 3 && !tape.is_empty(); ++i) save_over(host, StoreForger::name(i), tape.byte());
    walk(host);
  });
}

void forged_check(ByteView bytes) {
  MemoryObjectStore objects("forged");
  Tape tape(bytes);
  StoreForger(objects, tape).forge_tree();
  within_bounds([&] {
    (void)check_store(objects,
                      {.read_data = true, .memory_bytes = TestEnvironmentOptions{}.memory_bytes, .progress = {}},
                      test_context());
  });
}

// Decisions that lead far: everything plain, and a few rows of noise.
std::vector<std::string> forged_seeds() {
  std::vector<std::string> seeds{std::string(1, '\0'), std::string(600, '\2')};
  for (uint64_t seed = 1; seed <= 6; ++seed) seeds.emplace_back(as_text(random_bytes(1500, seed).view()));
  return seeds;
}

}  // namespace cairn::fuzz
