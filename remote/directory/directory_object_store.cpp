#include "remote/directory/directory_object_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/log.h"
#include "remote/directory/file_error.h"
#include "remote/directory/folder_listing.h"
#include "remote/directory/temporary_object.h"
#include "remote/object_rules.h"

namespace cairn {

namespace {

constexpr size_t kReadStepBytes = 4 << 20;         // between two looks at the context
constexpr size_t kMaxRememberedFolders = 1 << 16;  // forgetting costs one sync when a folder is used again

// What `group` is to have of a store's root. Its members see each other's files by the set-group-id bit.
constexpr mode_t kSharedRoot = S_ISGID | S_IRWXU | S_IRWXG;

// Makes the directory at `path` unless it is there, durably.
Result<void> create_root(const std::string& path, std::optional<gid_t> group) {
  const bool is_new = ::mkdir(path.c_str(), Sharing{}.folders) == 0;
  if (!is_new && errno != EEXIST) return fail(file_error(errno, "make " + path));
  if (group &&
      (::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0 || ::chmod(path.c_str(), kSharedRoot) != 0)) {
    return fail(file_error(errno, "give " + path + " to the group"));
  }
  if (!is_new) return {};
  const auto above = Folder::open_root(path + "/..");
  if (!above) return fail(above.error());
  return above->sync();
}

Result<void> check_writable(const Folder& root) {
  if (::faccessat(root.fd(), ".", W_OK | X_OK, AT_EACCESS) == 0) return {};
  return fail(file_error(errno, "no writing here"));
}

void clean_up_after_crashes(const Folder& root, const std::string& path) {
  const auto removed = remove_stale_temporaries(root, system_clock().wall_now());
  if (!removed) {
    log::warning("store dir:{}: leftovers of crashed writers stay: {}", path, removed.error().to_string());
  } else if (*removed > 0) {
    log::info("store dir:{}: removed {} leftovers of crashed writers", path, *removed);
  }
}

// Reads until `out` is full; gives what the file had.
Result<size_t> read_at(int fd, uint64_t offset, MutableByteView out, const RequestContext& context) {
  size_t done = 0;
  while (done < out.size()) {
    if (auto live = context.check(); !live) return fail(std::move(live).error());
    const size_t step = std::min(out.size() - done, kReadStepBytes);
    const ssize_t got = ::pread(fd, out.data() + done, step, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(file_error(errno, "read"));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

Result<Buffer> read_range(int fd, uint64_t size_bytes, const ByteRange& range, const RequestContext& context) {
  const uint64_t offset = std::min(range.offset, size_bytes);
  const uint64_t length = std::min(size_bytes - offset, range.length.value_or(size_bytes));
  if (auto sane = check_answer(length, range); !sane) return fail(std::move(sane).error());
  // All of it at once rather than in the kernel's cautious steps; what fails here fails again below, with an error.
  ::posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
  Buffer buffer = range.skew ? Buffer::placed(length, *range.skew) : Buffer(length);
  const auto read = read_at(fd, offset, buffer.mutable_view(), context);
  if (!read) return fail(read.error());
  buffer.shrink_to(*read);
  return buffer;
}

// The answer to a put whose key is taken. The winner may not have synced the folder yet, and our caller will rely on
// the object: so it is synced here as well, which costs little when there is nothing to do.
Result<void> confirm_taken(const Folder& folder, const std::string& leaf) {
  if (!folder.size_of(leaf)) {
    return fail(Errc::unavailable, "the name was taken, but it is no object, or is being removed");
  }
  if (auto synced = folder.sync(); !synced) return synced;
  return fail(Errc::already_exists, "already there");
}

}  // namespace

Result<std::unique_ptr<DirectoryObjectStore>> DirectoryObjectStore::open(Options options) {
  const std::string context = "store dir:" + options.path;
  if (options.create && !options.read_only) {
    if (auto created = create_root(options.path, options.group); !created) return fail(created.error().in(context));
  }
  auto root = Folder::open_root(options.path);
  if (!root) return fail(root.error().in(context));
  if (!options.read_only) {
    if (auto writable = check_writable(*root); !writable) return fail(writable.error().in(context));
    clean_up_after_crashes(*root, options.path);
  }
  const auto sharing = root->sharing();
  if (!sharing) return fail(sharing.error().in(context));
  return std::unique_ptr<DirectoryObjectStore>(
      new DirectoryObjectStore(std::move(options), std::move(*root), *sharing));
}

// What this version makes is closed by itself; folders that were made otherwise are open if the way to them is.
bool DirectoryObjectStore::is_open_to_others() const {
  if (!root_.is_open_to_others()) return false;
  bool is_open = false;
  const auto look = [&](std::string_view name, Folder::Kind kind) -> Result<void> {
    if (kind != Folder::Kind::folder) return {};
    const auto folder = root_.open_folder(std::string(name));
    is_open = is_open || (folder && folder->is_open_to_others());
    return {};
  };
  return root_.for_each_name(look) && is_open;
}

Result<UniqueFd> DirectoryObjectStore::open_object(const std::string& key, uint64_t* size_bytes) const {
  const auto folder = root_.walk(folder_of(key));
  if (!folder) return fail(folder.error());
  return folder->open_file(leaf_of(key), size_bytes);
}

Result<Buffer> DirectoryObjectStore::get(const std::string& key, ByteRange range, const RequestContext& context) {
  if (auto valid = check_key(key); !valid) return fail(valid.error().in("get"));
  if (auto live = context.check(); !live) return fail(live.error().in("get " + key));
  uint64_t size_bytes = 0;
  const auto object = open_object(key, &size_bytes);
  if (!object) return fail(object.error().in("get " + key));
  auto bytes = read_range(object->get(), size_bytes, range, context);
  if (!bytes) return fail(bytes.error().in("get " + key));
  return bytes;
}

Result<ObjectInfo> DirectoryObjectStore::head(const std::string& key, const RequestContext& context) {
  if (auto valid = check_key(key); !valid) return fail(valid.error().in("head"));
  if (auto live = context.check(); !live) return fail(live.error().in("head " + key));
  ObjectInfo info{key};
  const auto object = open_object(key, &info.size_bytes);
  if (!object) return fail(object.error().in("head " + key));
  if (const auto written = Folder::written_at(*object)) info.created = *written;
  return info;
}

Result<ListPage> DirectoryObjectStore::list(const std::string& prefix, const std::string& start_after, size_t limit,
                                            const RequestContext& context) {
  if (auto valid = check_list(prefix, limit); !valid) return fail(valid.error().in("list"));
  if (auto live = context.check(); !live) return fail(live.error().in("list " + prefix));
  auto page = list_below(root_, prefix, start_after, limit, context);
  if (!page) return fail(page.error().in("list " + prefix));
  return page;
}

Result<void> DirectoryObjectStore::admit_change(const RequestContext& context) const {
  if (options_.read_only) return fail(Errc::read_only, "the store was opened read-only");
  return context.check();
}

Result<void> DirectoryObjectStore::put_if_absent(const std::string& key, ByteView bytes,
                                                 const RequestContext& context) {
  if (auto valid = check_put(key, bytes); !valid) return fail(valid.error().in("put"));
  auto put = admit_change(context);
  if (put) put = put_checked(key, bytes, context);
  if (put) return put;
  if (put.error().code() != Errc::not_found) return fail(put.error().in("put " + key));
  return fail(Errc::unavailable, "put {}: a folder was removed meanwhile: {}", key, put.error().message());
}

Result<void> DirectoryObjectStore::put_checked(const std::string& key, ByteView bytes, const RequestContext& context) {
  const std::string leaf = leaf_of(key);
  const auto folder = folder_for_put(std::string(folder_of(key)));
  if (!folder) return fail(folder.error());
  if (folder->size_of(leaf)) return confirm_taken(*folder, leaf);

  auto object = TemporaryObject::create(root_, sharing_);
  if (!object) return fail(object.error());
  if (auto written = object->write_durably(bytes, context); !written) return written;
  if (auto live = context.check(); !live) return live;
  auto published = object->publish(*folder, leaf);
  if (published) return folder->sync();
  if (published.error().code() == Errc::already_exists) return confirm_taken(*folder, leaf);
  return published;
}

Result<void> DirectoryObjectStore::remove(const std::vector<std::string>& keys, const RequestContext& context) {
  if (auto valid = check_keys(keys); !valid) return fail(valid.error().in("remove"));
  for (const std::string& key : keys) {
    if (auto removed = remove_one(key, context); !removed) return removed;
  }
  return {};
}

Result<void> DirectoryObjectStore::remove_one(const std::string& key, const RequestContext& context) {
  if (auto admitted = admit_change(context); !admitted) return fail(admitted.error().in("remove " + key));
  const auto folder = root_.walk(folder_of(key));
  if (!folder && folder.error().code() == Errc::not_found) return {};
  if (!folder) return fail(folder.error().in("remove " + key));
  const auto removed = folder->unlink(leaf_of(key));
  if (!removed) return fail(removed.error().in("remove " + key));
  if (auto synced = folder->sync(); !synced) return fail(synced.error().in("remove " + key));
  return {};
}

Result<Folder> DirectoryObjectStore::folder_for_put(const std::string& path) {
  if (path.empty() || is_known_durable(path)) {
    auto folder = root_.walk(path);
    if (folder || folder.error().code() != Errc::not_found) return folder;
    forget_durable_folders();  // somebody removed it, and perhaps others
  }
  return make_folders(path);
}

Result<Folder> DirectoryObjectStore::make_folders(const std::string& path) {
  auto here = root_.walk("");
  size_t end = 0;
  while (here && end < path.size()) {
    const size_t begin = end == 0 ? 0 : end + 1;
    end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const std::string path_to_here = path.substr(0, end);
    if (auto made = here->make_folder(name, sharing_); !made) return fail(std::move(made).error());
    if (!is_known_durable(path_to_here)) {
      if (auto synced = here->sync(); !synced) return fail(std::move(synced).error());
      remember_durable(path_to_here);
    }
    here = here->open_folder(name);
  }
  if (here || here.error().code() != Errc::not_found) return here;
  return fail(Errc::invalid_argument, "{} (a store's folders are real directories)", here.error().message());
}

bool DirectoryObjectStore::is_known_durable(const std::string& path) const {
  const MutexLock lock(mutex_);
  return durable_folders_.contains(path);
}

void DirectoryObjectStore::remember_durable(const std::string& path) {
  const MutexLock lock(mutex_);
  if (durable_folders_.size() >= kMaxRememberedFolders) durable_folders_.clear();
  durable_folders_.insert(path);
}

void DirectoryObjectStore::forget_durable_folders() {
  const MutexLock lock(mutex_);
  durable_folders_.clear();
}

}  // namespace cairn
