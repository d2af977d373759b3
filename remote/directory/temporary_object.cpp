#include "remote/directory/temporary_object.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "remote/directory/file_error.h"

namespace cairn {

namespace {

constexpr size_t kStepBytes = 1 << 20;                                    // between two looks at the context
constexpr std::align_val_t kDirectAlignment{4096};                        // enough for any disk's O_DIRECT
constexpr std::chrono::nanoseconds kStaleAfter = std::chrono::hours(24);  // far longer than writing one object takes
const std::string kTemporaryFolder = "+tmp";                              // no key can name it: "+" is not for keys

// Unique among all hosts that share the store.
std::string fresh_name() {
  KernelRandom random;
  return fmt::format("{:016x}{:016x}", random.next_u64(), random.next_u64());
}

bool links_are_unknown_here(int errno_value) {
  return errno_value == EPERM || errno_value == EOPNOTSUPP || errno_value == ENOSYS;
}

// One step's worth of aligned memory for each writing thread.
std::byte* step_buffer() {
  struct Release {
    void operator()(std::byte* bytes) const { ::operator delete[](bytes, kDirectAlignment); }
  };
  static thread_local const std::unique_ptr<std::byte[], Release> buffer(new (kDirectAlignment) std::byte[kStepBytes]);
  return buffer.get();
}

// Whole steps from the front of `bytes`, past the page cache: a chunk is not read back here soon, and its pages would
// push out others and be written once more at the sync. How much that was: nothing where the file system will not have
// it.
Result<size_t> write_directly(int fd, ByteView bytes, const RequestContext& context) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (bytes.size() < kStepBytes || ::fcntl(fd, F_SETFL, flags | O_DIRECT) != 0) return 0;
  size_t done = 0;
  while (bytes.size() - done >= kStepBytes) {
    if (auto live = context.check(); !live) return fail(std::move(live).error());
    std::memcpy(step_buffer(), bytes.data() + done, kStepBytes);
    const ssize_t written = ::write(fd, step_buffer(), kStepBytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EINVAL) break;
    if (written < 0) return fail(file_error(errno, "write"));
    done += static_cast<size_t>(written);
    if (static_cast<size_t>(written) < kStepBytes) break;  // the next one would not be aligned; what is wrong will show
  }
  ::fcntl(fd, F_SETFL, flags);
  return done;
}

}  // namespace

Result<TemporaryObject> TemporaryObject::create(const Folder& root, const Sharing& sharing) {
  auto temporaries = root.open_folder(kTemporaryFolder);
  if (!temporaries && temporaries.error().code() == Errc::not_found) {
    if (auto made = root.make_folder(kTemporaryFolder, sharing); !made) return fail(std::move(made).error());
    temporaries = root.open_folder(kTemporaryFolder);
  }
  if (!temporaries) return fail(std::move(temporaries).error());
  std::string name = fresh_name();
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd fd(::openat(temporaries->fd(), name.c_str(), kFlags, Sharing{}.objects));
  const bool is_shared = sharing.objects != Sharing{}.objects;
  if (!fd.valid() || (is_shared && ::fchmod(fd.get(), sharing.objects) != 0))
    return fail(file_error(errno, "make a temporary file"));
  return TemporaryObject(std::move(*temporaries), std::move(name), std::move(fd));
}

TemporaryObject::~TemporaryObject() {
  if (!fd_.valid()) return;
  fd_.reset();                               // first: NFS only renames what is removed while open
  std::ignore = temporaries_.unlink(name_);  // what stays is stale in a day
}

Result<void> TemporaryObject::write_durably(ByteView bytes, const RequestContext& context) {
  const auto direct = write_directly(fd_.get(), bytes, context);
  if (!direct) return fail(direct.error());
  bytes = bytes.subspan(*direct);
  while (!bytes.empty()) {
    if (auto live = context.check(); !live) return live;
    const ssize_t written = ::write(fd_.get(), bytes.data(), std::min(bytes.size(), kStepBytes));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(file_error(errno, "write"));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  if (auto live = context.check(); !live) return live;
  if (::fdatasync(fd_.get()) != 0) return fail(file_error(errno, "sync"));
  return {};
}

bool TemporaryObject::is_linked_twice() const {
  struct statx status {};
  constexpr int kAskTheServer = AT_EMPTY_PATH | AT_STATX_FORCE_SYNC;
  return ::statx(fd_.get(), "", kAskTheServer, STATX_NLINK, &status) == 0 && status.stx_nlink == 2;
}

Result<void> TemporaryObject::publish(const Folder& folder, const std::string& leaf) {
  if (::linkat(temporaries_.fd(), name_.c_str(), folder.fd(), leaf.c_str(), 0) == 0) return {};
  int error = errno;
  // NFS: when the reply to the first request was lost, the repeated one finds our own link.
  if (is_linked_twice()) return {};
  if (links_are_unknown_here(error)) {
    if (::renameat2(temporaries_.fd(), name_.c_str(), folder.fd(), leaf.c_str(), RENAME_NOREPLACE) == 0) return {};
    error = errno;
  }
  return fail(file_error(error, "publish"));
}

namespace {

bool is_stale(const Folder& temporaries, const std::string& name, Nanos now) {
  struct stat status {};
  if (::fstatat(temporaries.fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  const std::chrono::nanoseconds modified = std::chrono::seconds(status.st_mtim.tv_sec);
  return std::chrono::nanoseconds(now) - modified > kStaleAfter;
}

}  // namespace

Result<size_t> remove_stale_temporaries(const Folder& root, Nanos now) {
  const auto temporaries = root.open_folder(kTemporaryFolder);
  if (!temporaries && temporaries.error().code() == Errc::not_found) return 0;
  if (!temporaries) return fail(temporaries.error());
  std::vector<std::string> stale;
  auto read = temporaries->for_each_name([&](std::string_view name, Folder::Kind) -> Result<void> {
    if (is_stale(*temporaries, std::string(name), now)) stale.emplace_back(name);
    return {};
  });
  if (!read) return fail(std::move(read).error());
  if (stale.empty()) return 0;
  // A host whose clock is ahead would take what the others are writing just now for leftovers.
  const auto witness = TemporaryObject::create(root, Sharing{});
  const auto disk_now = witness ? witness->written_at() : Result<Nanos>(fail(witness.error()));
  if (!disk_now) return fail(disk_now.error());
  std::erase_if(stale, [&](const std::string& name) { return !is_stale(*temporaries, name, *disk_now); });
  for (const std::string& name : stale) {
    if (auto removed = temporaries->unlink(name); !removed) return fail(std::move(removed).error());
  }
  return stale.size();
}

}  // namespace cairn
