#include "tests/model/comparison.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "store/check/check.h"

namespace cairn::model {

namespace {

std::string differs(const std::string& what, int expected, int found) {
  if (expected == found) return {};
  return fmt::format("{}: errno {} expected, {} found", what, expected, found);
}

std::string differs(const std::string& what, const std::string& expected, const std::string& found) {
  if (expected == found) return {};
  size_t at = 0;
  while (at < expected.size() && at < found.size() && expected[at] == found[at]) ++at;
  return fmt::format("{}: {} bytes expected, {} found, the first difference at {}", what, expected.size(), found.size(),
                     at);
}

bool is_zero(const std::string& content, uint64_t begin, uint64_t end) {
  end = std::min<uint64_t>(end, content.size());
  return begin >= end || std::all_of(content.begin() + static_cast<ptrdiff_t>(begin),
                                     content.begin() + static_cast<ptrdiff_t>(end), [](char c) { return c == '\0'; });
}

int pick(std::initializer_list<int> choices, int variant) {
  return choices.begin()[static_cast<size_t>(variant) % choices.size()];
}

}  // namespace

Comparison::Comparison(int hosts) {
  for (int i = 0; i < hosts; ++i) {
    hosts_.push_back(std::make_unique<TestHost>(store_.objects(), TestHostOptions{.host = fmt::format("host-{}", i)}));
  }
  reference_.root()->mtime.reset();
  reference_.root()->mode = hosts_[0]->stat("")->attributes.mode;
}

Comparison::~Comparison() {
  for (Slot& slot : slots_) {
    if (slot.inode) hosts_[0]->files().release(slot.handle);
  }
}

std::string Comparison::step(const Operation& operation) {
  for (auto& host : hosts_) host->clock().advance(std::chrono::seconds(1));
  reference_.now = hosts_[0]->clock().wall_now();
  host_ = hosts_[static_cast<size_t>(operation.host)].get();
  if (auto difference = apply(operation); !difference.empty()) return difference;
  if (hosts_.size() > 1) settle(*host_);
  for (auto& host : hosts_) {
    if (auto difference = compare_trees(*host); !difference.empty()) return difference;
  }
  return compare_open_files();
}

std::string Comparison::apply(const Operation& operation) {
  switch (operation.act) {
    case Act::mkdir:
    case Act::rmdir:
    case Act::unlink:
    case Act::symlink:
    case Act::rename: return change_names(operation);
    case Act::truncate:
    case Act::chmod:
    case Act::utimens:
    case Act::set_xattr:
    case Act::remove_xattr: return change_attributes(operation);
    case Act::write_file:
    case Act::append_file:
    case Act::patch_file: return rewrite(operation);
    case Act::restart: return restart();
    case Act::open: return open(operation);
    case Act::close:
    case Act::write:
    case Act::resize:
    case Act::allocate:
    case Act::seek:
    case Act::sync: return use_slot(operation);
  }
  return "an unknown act";
}

std::string Comparison::change_names(const Operation& operation) {
  const std::string& path = operation.first_path();
  const auto mode = static_cast<RenameMode>(pick({0, 0, 0, 1, 2}, operation.variant));
  switch (operation.act) {
    case Act::mkdir: return differs("mkdir", reference_.mkdir(path, 0755), errno_of(host_->mkdir(path)));
    case Act::rmdir: return differs("rmdir", reference_.rmdir(path), errno_of(host_->rmdir(path)));
    case Act::unlink: return differs("unlink", reference_.unlink(path), errno_of(host_->unlink(path)));
    case Act::symlink: return differs("symlink", reference_.symlink("to", path), errno_of(host_->symlink("to", path)));
    default:
      return differs("rename", reference_.rename(path, operation.second_path(), mode),
                     errno_of(host_->rename(path, operation.second_path(), mode)));
  }
}

std::string Comparison::change_attributes(const Operation& operation) {
  const std::string& path = operation.first_path();
  const auto mode = static_cast<uint32_t>(pick({0644, 0600, 01777, 04755}, operation.variant));
  const auto size_bytes = static_cast<uint64_t>(operation.offset);
  const Nanos mtime = 1'000'000'007LL * operation.variant;
  const std::string name = operation.variant % 2 == 0 ? "user.even" : "user.odd";
  const std::string value(static_cast<size_t>(operation.variant), 'v');
  const int flags = pick({0, 0, XATTR_CREATE, XATTR_REPLACE}, operation.length);
  switch (operation.act) {
    case Act::truncate:
      return differs("truncate", reference_.truncate(path, size_bytes), errno_of(host_->truncate(path, size_bytes)));
    case Act::chmod:
      return differs("chmod", reference_.chmod(path, mode), errno_of(host_->set_attributes(path, {.mode = mode})));
    case Act::utimens:
      return differs("utimens", reference_.utimens(path, mtime),
                     errno_of(host_->set_attributes(path, {.mtime = mtime})));
    case Act::set_xattr:
      return differs("setxattr", reference_.set_xattr(path, name, value, flags),
                     errno_of(host_->set_xattr(path, name, value, flags)));
    default:
      return differs("removexattr", reference_.remove_xattr(path, name), errno_of(host_->remove_xattr(path, name)));
  }
}

// Bytes that no earlier write had, some of them zeros.
std::string Comparison::fresh_content(int length) {
  const Buffer bytes = random_bytes(static_cast<size_t>(length), ++writes_);
  std::string content(as_text(bytes.view()));
  if (writes_ % 3 == 0) std::fill(content.begin(), content.begin() + static_cast<ptrdiff_t>(content.size() / 2), '\0');
  return content;
}

std::string Comparison::rewrite(const Operation& operation) {
  int flags = O_WRONLY;
  if (operation.act == Act::write_file) flags |= O_CREAT | O_TRUNC | (operation.variant % 4 == 0 ? O_EXCL : 0);
  if (operation.act == Act::append_file) flags |= O_CREAT | O_APPEND;
  InodePtr inode;
  const int expected = reference_.open(operation.first_path(), flags, 0644, &inode);
  const auto handle = host_->open(operation.first_path(), flags, 0644);
  if (auto difference = differs("open", expected, errno_of(handle)); !difference.empty() || !handle) return difference;
  const std::string content = fresh_content(operation.length);
  const bool patches = operation.act == Act::patch_file;
  const uint64_t offset = patches ? static_cast<uint64_t>(operation.offset) : inode->content.size();
  reference_.write(*inode, offset, content);
  const auto written = host_->pwrite(*handle, patches ? offset : 0, content);
  const auto closed = host_->close(*handle);
  if (auto difference = differs("write", 0, errno_of(written)); !difference.empty()) return difference;
  return differs("close", 0, errno_of(closed));
}

std::string Comparison::open(const Operation& operation) {
  Slot& slot = slots_[static_cast<size_t>(operation.slot)];
  if (auto difference = close(slot); !difference.empty()) return difference;
  slot.flags = pick(
      {O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_TRUNC, O_RDWR | O_CREAT | O_APPEND, O_RDONLY},
      operation.variant);
  InodePtr inode;
  const int expected = reference_.open(operation.first_path(), slot.flags, 0600, &inode);
  const auto handle = host_->open(operation.first_path(), slot.flags, 0600);
  if (auto difference = differs("open", expected, errno_of(handle)); !difference.empty()) return difference;
  if (!handle) return {};
  slot.inode = inode;
  slot.handle = *handle;
  slot.node = host_->hold(operation.first_path())->node;
  return {};
}

std::string Comparison::close(Slot& slot) {
  if (!slot.inode) return {};
  slot.inode.reset();
  hosts_[0]->files().forget(slot.node, 1);
  return differs("close", 0, errno_of(hosts_[0]->close(slot.handle)));
}

std::string Comparison::use_slot(const Operation& operation) {
  Slot& slot = slots_[static_cast<size_t>(operation.slot)];
  if (!slot.inode) return {};
  if (operation.act == Act::close) return close(slot);
  if (operation.act == Act::seek) return seek(slot, operation);
  if (operation.act == Act::sync)
    return differs("fsync", 0, errno_of(host_->files().sync(slot.handle, test_context())));
  if ((slot.flags & O_ACCMODE) == O_RDONLY)
    return differs("write", EBADF, errno_of(host_->pwrite(slot.handle, 0, "x")));
  const auto offset = static_cast<uint64_t>(operation.offset);
  const auto length = static_cast<uint64_t>(operation.length);
  if (operation.act == Act::write) {
    const std::string content = fresh_content(operation.length);
    reference_.write(*slot.inode, (slot.flags & O_APPEND) != 0 ? slot.inode->content.size() : offset, content);
    return differs("write", 0, errno_of(host_->pwrite(slot.handle, offset, content)));
  }
  if (operation.act == Act::allocate) {
    const int mode = pick({0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE,
                           FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_INSERT_RANGE},
                          operation.variant);
    return differs("fallocate", reference_.allocate(*slot.inode, mode, offset, length),
                   errno_of(host_->files().allocate(slot.handle, mode, offset, length, test_context())));
  }
  reference_.resize(*slot.inode, offset);
  const SetAttributes wanted = {.size_bytes = offset, .handle = slot.handle};
  return differs("ftruncate", 0, errno_of(host_->files().set_attributes(slot.node, wanted, test_context())));
}

// A hole must read as zeros, and what is said to be data need not be any.
std::string Comparison::seek(const Slot& slot, const Operation& operation) {
  const auto offset = static_cast<uint64_t>(operation.offset);
  const std::string& content = slot.inode->content;
  FileSystem& files = host_->files();
  const auto data = files.seek(slot.handle, offset, SEEK_DATA, test_context());
  const auto hole = files.seek(slot.handle, offset, SEEK_HOLE, test_context());
  if (offset >= content.size()) {
    if (auto difference = differs("SEEK_DATA at the end", ENXIO, errno_of(data)); !difference.empty())
      return difference;
    return differs("SEEK_HOLE at the end", ENXIO, errno_of(hole));
  }
  if (!data && errno_of(data) != ENXIO) return data.error().to_string();
  if (!hole) return hole.error().to_string();
  if (!is_zero(content, offset, data ? *data : content.size())) return "SEEK_DATA skipped data";
  if (*hole < offset || *hole > content.size()) return "SEEK_HOLE left the file";
  return {};
}

std::string Comparison::restart() {
  for (Slot& slot : slots_) {
    if (auto difference = close(slot); !difference.empty()) return difference;
  }
  if (auto done = host_->files().shut_down(test_context()); !done) return done.error().to_string();
  host_->restart();
  return {};
}

// What a host promised to commit soon is in the store.
void Comparison::settle(TestHost& host) {
  std::vector<std::string> directories = all_paths();
  directories.emplace_back();
  for (const std::string& path : directories) {
    const auto node = host.hold(path);
    if (!node) continue;
    if (node->attributes.kind == Kind::directory) (void)host.files().sync_directory(node->node, test_context());
    host.files().forget(node->node, 1);
  }
}

std::string Comparison::compare_trees(TestHost& host) { return compare_directory(host, "", *reference_.root()); }

std::string Comparison::compare_directory(TestHost& host, const std::string& path, const Inode& expected) {
  const auto listed = host.list(path);
  if (!listed) return listed.error().to_string();
  std::vector<std::string> names;
  for (const auto& [name, inode] : expected.children) names.push_back(name);
  if (*listed != names) {
    return fmt::format("'{}' lists {} names where {} are expected", path, listed->size(), names.size());
  }
  if (auto difference = compare_inode(host, path, expected); !difference.empty()) return difference;
  for (const auto& [name, inode] : expected.children) {
    const std::string child = path.empty() ? name : path + "/" + name;
    auto difference =
        inode->is_directory() ? compare_directory(host, child, *inode) : compare_inode(host, child, *inode);
    if (!difference.empty()) return difference;
  }
  return {};
}

std::string Comparison::compare_inode(TestHost& host, const std::string& path, const Inode& expected) {
  const auto reply = host.stat(path);
  if (!reply) return reply.error().to_string();
  const NodeAttributes& found = reply->attributes;
  if (found.kind != expected.kind) return fmt::format("'{}' is of another kind", path);
  if (found.mode != expected.mode) return fmt::format("'{}' has mode {:o}, not {:o}", path, found.mode, expected.mode);
  if (expected.mtime && found.mtime != *expected.mtime) {
    return fmt::format("'{}' has mtime {}, not {}", path, found.mtime, *expected.mtime);
  }
  const auto xattrs = host.list_xattrs(path);
  if (!xattrs || xattrs->size() != expected.xattrs.size()) return fmt::format("'{}' has other xattrs", path);
  for (const auto& [name, value] : expected.xattrs) {
    if (host.get_xattr(path, name).value_or("?") != value) return fmt::format("'{}' has another {}", path, name);
  }
  if (expected.is_directory()) return {};
  if (found.size_bytes != expected.content.size()) {
    return fmt::format("'{}' has {} bytes, not {}", path, found.size_bytes, expected.content.size());
  }
  const auto content = expected.kind == Kind::symlink ? host.readlink(path) : host.read(path);
  if (!content) return content.error().to_string();
  return differs("content of '" + path + "'", expected.content, *content);
}

std::string Comparison::compare_open_files() {
  for (const Slot& slot : slots_) {
    if (!slot.inode) continue;
    const auto content = hosts_[0]->read(slot.handle);
    if (!content) return content.error().to_string();
    if (auto difference = differs("an open file", slot.inode->content, *content); !difference.empty())
      return difference;
  }
  return {};
}

std::string Comparison::finish() {
  for (Slot& slot : slots_) {
    if (auto difference = close(slot); !difference.empty()) return difference;
  }
  for (auto& host : hosts_) {
    if (auto done = host->files().shut_down(test_context()); !done) return done.error().to_string();
  }
  hosts_.clear();
  TestHost fresh(store_.objects(), {.host = "fresh"});
  if (auto difference = compare_trees(fresh); !difference.empty()) return "after a restart: " + difference;
  const auto report = check_store(store_.objects(), {.read_data = true, .progress = {}}, test_context());
  if (!report) return report.error().to_string();
  if (report->clean()) return {};
  const CheckFinding& first = report->findings.front();
  return fmt::format("check: {} ({}): {}", first.object, first.path, first.message);
}

}  // namespace cairn::model
