// All directories of a store, and the operations that touch more than one of them.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "store/directory.h"

namespace cairn {

enum class RenameMode { replace, no_replace, exchange };

// One end of a rename.
struct Place {
  std::shared_ptr<Directory> directory;
  std::string name;
};

// Thread-safety: all methods may be called from any thread.
// Ownership: keeps every directory it handed out while somebody holds it or it has pending changes, and some more.
// Failures and Durability: as Directory's; make_directory, remove_directory and rename are durable when they return.
// Errors that POSIX distinguishes carry Error::posix (ENOTEMPTY, EISDIR, ENOTDIR).
class Namespace {
 public:
  explicit Namespace(StoreEnvironment& environment);
  // Commits what is pending within StoreOptions::operation_timeout; call stop() first to choose the time.
  ~Namespace();

  // The one Directory object of this process for `id`, loaded on first use. Completes moves it finds half done.
  Result<std::shared_ptr<Directory>> open(EntryId id, const RequestContext& context);

  // The new directory's entry, committed. Failures: already_exists.
  Result<Entry> make_directory(Directory& parent, const std::string& name, const Attributes& attributes,
                               const RequestContext& context);
  // Seals the child (no more entries), then frees the name. Failures: not_found, ENOTEMPTY, ENOTDIR.
  Result<void> remove_directory(Directory& parent, const std::string& name, const RequestContext& context);

  // rename(2) with its flags. Within one directory: one commit. Between two: the target's record carries a Move, the
  // source's follows; a crash in between is completed by whoever loads the target next. Replacing a file puts the old
  // history in front of the new file's; replacing an empty directory seals it first.
  Result<void> rename(const Place& from, const Place& to, RenameMode mode, const RequestContext& context);

  // Commits everything pending anywhere; the first error, after trying all.
  Result<void> flush(const RequestContext& context);
  // flush(), then no more background commits.
  Result<void> stop(const RequestContext& context);

  // Pending changes across all directories, for status.
  [[nodiscard]] size_t pending_directories() const;

 private:
  StoreEnvironment& environment_;
};

}  // namespace cairn
