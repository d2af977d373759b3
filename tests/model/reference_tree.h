// What a tree of files does, in memory and by the book: no store, no versions, no hosts. Everything returns an errno.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/directories/namespace.h"
#include "store/format/entry.h"

namespace cairn::model {

struct Inode {
  Kind kind = Kind::file;
  uint32_t mode = 0;
  std::optional<Nanos> mtime;  // nullopt: POSIX leaves it open
  std::string content;         // of a file; of a symlink its target
  std::map<std::string, std::string> xattrs;
  std::map<std::string, std::shared_ptr<Inode>> children;

  [[nodiscard]] bool is_directory() const { return kind == Kind::directory; }
};
using InodePtr = std::shared_ptr<Inode>;

// Paths as TestHost's: "a/b", "" for the root.
class ReferenceTree {
 public:
  ReferenceTree();

  Nanos now = 0;  // the time of what happens next

  // 0 and the inode, or why not.
  int find(const std::string& path, InodePtr* found) const;
  [[nodiscard]] InodePtr root() const { return root_; }

  int mkdir(const std::string& path, uint32_t mode);
  int symlink(const std::string& target, const std::string& path);
  int unlink(const std::string& path);
  int rmdir(const std::string& path);
  int rename(const std::string& from, const std::string& to, RenameMode mode);
  int open(const std::string& path, int flags, uint32_t mode, InodePtr* opened);
  int truncate(const std::string& path, uint64_t size_bytes);
  int chmod(const std::string& path, uint32_t mode);
  int utimens(const std::string& path, Nanos mtime);
  int set_xattr(const std::string& path, const std::string& name, const std::string& value, int flags);
  int remove_xattr(const std::string& path, const std::string& name);

  void write(Inode& file, uint64_t offset, const std::string& bytes);
  void resize(Inode& file, uint64_t size_bytes);
  // fallocate(2).
  int allocate(Inode& file, int mode, uint64_t offset, uint64_t length);

 private:
  struct Slot {
    InodePtr parent;
    std::string name;
    InodePtr inode;  // nullptr: free
  };
  int find_slot(const std::string& path, Slot* slot) const;
  int make(const std::string& path, Inode inode);
  void detach(const Slot& slot);
  void attach(const Slot& slot, const InodePtr& inode);
  static bool is_within(const Inode& inode, const Inode& ancestor);

  InodePtr root_;
};

}  // namespace cairn::model
