// Requests about the listings of directories.
#include <optional>
#include <vector>

#include "fs/fuse/operations.h"
#include "fs/fuse/reply.h"
#include "fs/fuse/request.h"

namespace cairn {

namespace {

void do_opendir(fuse_req_t raw, fuse_ino_t node, fuse_file_info* asked) {
  Request request(raw, {"opendir", node});
  request.answer(
      [&](const RequestContext& context) { return request.files().open_directory(node, request.caller(), context); },
      [&](HandleId handle) {
        fuse_file_info info = *asked;
        info.fh = handle;
        if (fuse_reply_open(raw, &info) != 0) request.files().release_directory(handle);
      });
}

// The part of a listing that fits into one reply.
class ListingPage {
 public:
  ListingPage(fuse_req_t raw, size_t size, bool plus) : raw_(raw), buffer_(reply_buffer(size)), plus_(plus) {}

  // False: no room.
  bool add(const DirectoryEntry& entry, const std::optional<NodeReply>& reply, uint64_t next) {
    const size_t length = plus_ ? put_plus(entry, reply, next) : put(entry, next);
    if (length > room()) return false;
    used_ += length;
    if (reply) looked_up_.push_back(reply->node);
    return true;
  }

  [[nodiscard]] bool empty() const { return used_ == 0; }

  void send(FileSystem& files) const {
    const int error = fuse_reply_buf(raw_, start(), used_);
    if (error == 0) return;
    for (const NodeId node : looked_up_) files.forget(node, 1);
  }

 private:
  [[nodiscard]] char* start() const { return reinterpret_cast<char*>(buffer_.data()); }
  [[nodiscard]] size_t room() const { return buffer_.size() - used_; }

  size_t put(const DirectoryEntry& entry, uint64_t next) {
    struct stat attributes {};
    attributes.st_ino = entry.ino;
    attributes.st_mode = file_type(entry.kind);
    return fuse_add_direntry(raw_, start() + used_, room(), entry.name.c_str(), &attributes, static_cast<off_t>(next));
  }

  // Without a reply the entry names no node: the kernel learns name and kind, and looks it up when it needs more.
  size_t put_plus(const DirectoryEntry& entry, const std::optional<NodeReply>& reply, uint64_t next) {
    fuse_entry_param param = reply ? to_entry(raw_, *reply) : fuse_entry_param{};
    param.attr.st_ino = entry.ino;
    if (!reply) param.attr.st_mode = file_type(entry.kind);
    return fuse_add_direntry_plus(raw_, start() + used_, room(), entry.name.c_str(), &param, static_cast<off_t>(next));
  }

  const fuse_req_t raw_;
  const MutableByteView buffer_;
  const bool plus_;
  size_t used_ = 0;
  std::vector<NodeId> looked_up_;
};

void read_listing(fuse_req_t raw, const Subject& subject, size_t size, off_t offset, HandleId handle, bool plus) {
  Request request(raw, subject);
  ListingPage page(raw, size, plus);
  const auto emit = [&page](const DirectoryEntry& entry, const std::optional<NodeReply>& reply, uint64_t next) {
    return page.add(entry, reply, next);
  };
  request.answer(
      [&](const RequestContext& context) -> Result<void> {
        auto listed = request.files().read_directory(handle, static_cast<uint64_t>(offset), plus, emit, context);
        // The entries on the page are sent, as their lookups count already; the error comes with the next page.
        if (!listed && page.empty()) return listed;
        return {};
      },
      [&] { page.send(request.files()); });
}

void do_readdir(fuse_req_t raw, fuse_ino_t node, size_t size, off_t offset, fuse_file_info* info) {
  read_listing(raw, {"readdir", node}, size, offset, info->fh, false);
}

void do_readdirplus(fuse_req_t raw, fuse_ino_t node, size_t size, off_t offset, fuse_file_info* info) {
  read_listing(raw, {"readdirplus", node}, size, offset, info->fh, true);
}

void do_fsyncdir(fuse_req_t raw, fuse_ino_t node, int /*data_only*/, fuse_file_info* /*info*/) {
  Request request(raw, {"fsyncdir", node}, RequestKind::publish);
  request.answer([&](const RequestContext& context) { return request.files().sync_directory(node, context); });
}

void do_releasedir(fuse_req_t raw, fuse_ino_t node, fuse_file_info* info) {
  Request request(raw, {"releasedir", node});
  request.answer([&](const RequestContext&) -> Result<void> {
    request.files().release_directory(info->fh);
    return {};
  });
}

}  // namespace

void add_directory_operations(fuse_lowlevel_ops& table) {
  table.opendir = do_opendir;
  table.readdir = do_readdir;
  table.readdirplus = do_readdirplus;
  table.fsyncdir = do_fsyncdir;
  table.releasedir = do_releasedir;
}

}  // namespace cairn
