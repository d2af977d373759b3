#include "tests/model/reference_tree.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>

namespace cairn::model {

ReferenceTree::ReferenceTree() : root_(std::make_shared<Inode>()) { root_->kind = Kind::directory; }

int ReferenceTree::find(const std::string& path, InodePtr* found) const {
  InodePtr at = root_;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    if (!at->is_directory()) return ENOTDIR;
    const auto child = at->children.find(path.substr(begin, end - begin));
    if (child == at->children.end()) return ENOENT;
    at = child->second;
    begin = end + 1;
  }
  *found = at;
  return 0;
}

int ReferenceTree::find_slot(const std::string& path, Slot* slot) const {
  const size_t slash = path.rfind('/');
  if (const int error = find(slash == path.npos ? "" : path.substr(0, slash), &slot->parent)) return error;
  if (!slot->parent->is_directory()) return ENOTDIR;
  slot->name = slash == path.npos ? path : path.substr(slash + 1);
  const auto child = slot->parent->children.find(slot->name);
  slot->inode = child == slot->parent->children.end() ? nullptr : child->second;
  return 0;
}

void ReferenceTree::detach(const Slot& slot) {
  slot.parent->children.erase(slot.name);
  slot.parent->mtime = now;
}

void ReferenceTree::attach(const Slot& slot, const InodePtr& inode) {
  slot.parent->children[slot.name] = inode;
  slot.parent->mtime = now;
}

bool ReferenceTree::is_within(const Inode& inode, const Inode& ancestor) {
  if (&inode == &ancestor) return true;
  return std::any_of(ancestor.children.begin(), ancestor.children.end(),
                     [&](const auto& child) { return is_within(inode, *child.second); });
}

int ReferenceTree::make(const std::string& path, Inode inode) {
  Slot slot;
  if (const int error = find_slot(path, &slot)) return error;
  if (slot.inode) return EEXIST;
  inode.mtime = now;
  attach(slot, std::make_shared<Inode>(std::move(inode)));
  return 0;
}

int ReferenceTree::mkdir(const std::string& path, uint32_t mode) {
  return make(path, {.kind = Kind::directory, .mode = mode, .mtime = {}, .content = {}, .xattrs = {}, .children = {}});
}

int ReferenceTree::symlink(const std::string& target, const std::string& path) {
  return make(path,
              {.kind = Kind::symlink, .mode = 0777, .mtime = {}, .content = target, .xattrs = {}, .children = {}});
}

int ReferenceTree::unlink(const std::string& path) {
  Slot slot;
  if (const int error = find_slot(path, &slot)) return error;
  if (!slot.inode) return ENOENT;
  if (slot.inode->is_directory()) return EISDIR;
  detach(slot);
  return 0;
}

int ReferenceTree::rmdir(const std::string& path) {
  Slot slot;
  if (const int error = find_slot(path, &slot)) return error;
  if (!slot.inode) return ENOENT;
  if (!slot.inode->is_directory()) return ENOTDIR;
  if (!slot.inode->children.empty()) return ENOTEMPTY;
  detach(slot);
  return 0;
}

int ReferenceTree::rename(const std::string& from, const std::string& to, RenameMode mode) {
  Slot source, target;
  if (const int error = find_slot(from, &source)) return error;
  if (const int error = find_slot(to, &target)) return error;
  if (!source.inode) return ENOENT;
  if (mode == RenameMode::no_replace && target.inode) return EEXIST;
  if (mode == RenameMode::exchange && !target.inode) return ENOENT;
  if (source.inode == target.inode) return 0;
  if (is_within(*target.parent, *source.inode)) return EINVAL;
  const bool onto_ancestor = target.inode && is_within(*source.parent, *target.inode);
  if (onto_ancestor) return mode == RenameMode::exchange ? EINVAL : ENOTEMPTY;
  if (mode == RenameMode::exchange) {
    attach(source, target.inode);
    attach(target, source.inode);
    return 0;
  }
  if (target.inode && target.inode->is_directory() && !source.inode->is_directory()) return EISDIR;
  if (target.inode && !target.inode->is_directory() && source.inode->is_directory()) return ENOTDIR;
  if (target.inode && !target.inode->children.empty()) return ENOTEMPTY;
  detach(source);
  attach(target, source.inode);
  return 0;
}

int ReferenceTree::open(const std::string& path, int flags, uint32_t mode, InodePtr* opened) {
  Slot slot;
  if (const int error = find_slot(path, &slot)) return error;
  const bool may_create = (flags & O_CREAT) != 0;
  if (!slot.inode && !may_create) return ENOENT;
  if (slot.inode && may_create && (flags & O_EXCL) != 0) return EEXIST;
  if (!slot.inode) {
    *opened = std::make_shared<Inode>();
    (*opened)->mode = mode;
    (*opened)->mtime = now;
    attach(slot, *opened);
    return 0;
  }
  if (slot.inode->is_directory()) return EISDIR;
  if (slot.inode->kind == Kind::symlink) return ELOOP;
  *opened = slot.inode;
  if ((flags & O_TRUNC) != 0) resize(**opened, 0);
  return 0;
}

void ReferenceTree::write(Inode& file, uint64_t offset, const std::string& bytes) {
  if (bytes.empty()) return;
  if (file.content.size() < offset + bytes.size()) file.content.resize(offset + bytes.size(), '\0');
  file.content.replace(offset, bytes.size(), bytes);
  file.mtime = now;
}

void ReferenceTree::resize(Inode& file, uint64_t size_bytes) {
  file.content.resize(size_bytes, '\0');
  file.mtime = now;
}

int ReferenceTree::allocate(Inode& file, int mode, uint64_t offset, uint64_t length) {
  const bool keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
  const int kind = mode & ~FALLOC_FL_KEEP_SIZE;
  if (length == 0) return EINVAL;
  if (kind != 0 && kind != FALLOC_FL_PUNCH_HOLE && kind != FALLOC_FL_ZERO_RANGE) return EOPNOTSUPP;
  if (kind == FALLOC_FL_PUNCH_HOLE && !keep_size) return EOPNOTSUPP;
  const uint64_t end = offset + length;
  if (kind != 0 && offset < file.content.size()) {
    const uint64_t zeroed = std::min<uint64_t>(end, file.content.size()) - offset;
    file.content.replace(offset, zeroed, zeroed, '\0');
  }
  if (!keep_size && end > file.content.size()) file.content.resize(end, '\0');
  file.mtime.reset();
  return 0;
}

int ReferenceTree::truncate(const std::string& path, uint64_t size_bytes) {
  InodePtr inode;
  if (const int error = find(path, &inode)) return error;
  if (inode->is_directory()) return EISDIR;
  if (inode->kind != Kind::file) return EINVAL;
  resize(*inode, size_bytes);
  return 0;
}

int ReferenceTree::chmod(const std::string& path, uint32_t mode) {
  InodePtr inode;
  if (const int error = find(path, &inode)) return error;
  if (inode->kind != Kind::symlink) inode->mode = mode;
  return 0;
}

int ReferenceTree::utimens(const std::string& path, Nanos mtime) {
  InodePtr inode;
  if (const int error = find(path, &inode)) return error;
  inode->mtime = mtime;
  return 0;
}

int ReferenceTree::set_xattr(const std::string& path, const std::string& name, const std::string& value, int flags) {
  InodePtr inode;
  if (const int error = find(path, &inode)) return error;
  if (inode->kind == Kind::symlink) return EPERM;
  const bool exists = inode->xattrs.contains(name);
  if (exists && flags == XATTR_CREATE) return EEXIST;
  if (!exists && flags == XATTR_REPLACE) return ENODATA;
  inode->xattrs[name] = value;
  return 0;
}

int ReferenceTree::remove_xattr(const std::string& path, const std::string& name) {
  InodePtr inode;
  if (const int error = find(path, &inode)) return error;
  if (inode->kind == Kind::symlink) return EPERM;
  return inode->xattrs.erase(name) > 0 ? 0 : ENODATA;
}

}  // namespace cairn::model
