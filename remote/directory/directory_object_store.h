// A store in a directory of a file system, local or shared (NFS): "dir:/srv/models".
#pragma once

#include <memory>
#include <optional>
#include <unordered_set>

#include "base/mutex.h"
#include "remote/directory/folder.h"
#include "remote/object_store.h"

namespace cairn {

// Every object is one read-only file; a key's folders are directories. `+tmp/`, which no key can name, holds the files
// that are still being written; what crashed writers left there is removed after a day.
//
// Thread-safety: all methods may be called from any thread; no lock is held over a system call that may wait.
// Ownership: keeps the directory open, so renaming or covering it later does not change which store this is.
// Access: what it makes is the owner's alone; if the directory has the set-group-id bit, its group's too.
// Failures: those of ObjectStore, each naming the key and what to do. Symbolic links below the directory are not
//   followed. A system call that hangs (a dead NFS server) hangs its thread: deadline and stop are looked at between
//   steps, not within one. DetachedObjectStore is for that.
// Durability: put_if_absent syncs the bytes before the key appears and the folders after that; already_exists, too, is
//   answered only once the other's object is durable.
class DirectoryObjectStore final : public ObjectStore {
 public:
  struct Options {
    std::string path;
    bool read_only = false;
    bool create = false;           // make the directory if it is not there (its parent must be), for its owner alone
    std::optional<gid_t> group{};  // with `create`: and for the members of this group
  };
  // Failures: not_found; invalid_argument if it is no directory; read_only or permission_denied if it takes no files
  // though `read_only` is not set.
  static Result<std::unique_ptr<DirectoryObjectStore>> open(Options options);

  // Whether other users of this host may read what is stored here.
  [[nodiscard]] bool is_open_to_others() const;

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override;
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override;
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override;
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override;
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override;
  [[nodiscard]] std::string describe() const override { return "dir:" + options_.path; }
  // A network file system's own protection is the kernel's, and not known here.
  [[nodiscard]] ObjectWay way() const override { return {true, "this machine's kernel"}; }

 private:
  DirectoryObjectStore(Options options, Folder root, const Sharing& sharing)
      : options_(std::move(options)), root_(std::move(root)), sharing_(sharing) {}

  // The checks of put_if_absent and remove before they touch anything.
  [[nodiscard]] Result<void> admit_change(const RequestContext& context) const;
  [[nodiscard]] Result<UniqueFd> open_object(const std::string& key, uint64_t* size_bytes) const;
  Result<void> put_checked(const std::string& key, ByteView bytes, const RequestContext& context);

  Result<void> remove_one(const std::string& key, const RequestContext& context);
  // The folder at `path`, made if need be; it and the folders above it are durable.
  Result<Folder> folder_for_put(const std::string& path);
  Result<Folder> make_folders(const std::string& path);
  [[nodiscard]] bool is_known_durable(const std::string& path) const;
  void remember_durable(const std::string& path);
  void forget_durable_folders();

  const Options options_;
  const Folder root_;
  const Sharing sharing_;
  mutable Mutex mutex_;
  std::unordered_set<std::string> durable_folders_
      CAIRN_GUARDED_BY(mutex_);  // their names are synced in the folders above
};

}  // namespace cairn
