// Nodes that show a newer version than they were made for: those that are reached without their names, and files that
// are only appended to.
#include "base/log.h"
#include "fs/growth.h"
#include "fs/store_file_system.h"

namespace cairn {

namespace {

bool may_follow(const FileNode& node, const FileView& view) {
  if (node.kind != Kind::file || node.old_version || view.unlinked) return false;
  if (view.bytes && view.bytes->unpublished()) return false;
  return view.entry->current() && !same_bytes(view.entry->current(), view.version);
}

}  // namespace

void StoreFileSystem::set_change_sink(NodeChangeSink sink) { change_sink_ = std::move(sink); }

void StoreFileSystem::tell_change(NodeId node, uint64_t from) const {
  if (change_sink_) change_sink_(node, from);
}

// Lets the node show what the store calls current, if nobody can tell that its bytes change: because nobody has it
// open, or because they only grow.
void StoreFileSystem::catch_up(FileNode& node, const RequestContext& context) {
  const FileView view = nodes_.view(node);
  if (!may_follow(node, view)) return;
  view.bytes ? grow(node, view, context) : replace_bytes(node, view.entry->current());
}

// What the kernel has of the old version goes first: pages that are read from here on are those of whoever opens it.
void StoreFileSystem::replace_bytes(FileNode& node, const VersionPtr& version) {
  const auto idle = nodes_.idle_since(node);
  if (!idle) return;
  tell_change(node.id, 0);
  if (!nodes_.replace_idle(node, version, *idle)) return;
  tell_change(node.id, version->size_bytes);
}

// The last page that was there has zeros behind its end. It goes once reads give the new bytes, and before anybody is
// told of the new size.
void StoreFileSystem::grow(FileNode& node, const FileView& view, const RequestContext& context) {
  const VersionPtr version = view.entry->current();
  if (!nodes_.begin_growth(node, version)) return;
  const auto grows = only_grows(sources_, view.version, version, context);
  if (grows && *grows) living_.note(node.ino);
  const bool is_native = nodes_.view(node).native;  // no byte of it comes from here: it stays what it is
  if (grows && *grows && !is_native && view.bytes->grow(version)) {
    tell_change(node.id, view.version ? view.version->size_bytes : 0);
    nodes_.advance(node, version);
    view.bytes->show_growth();
    tell_change(node.id, version->size_bytes);
  } else if (!grows) {
    log::debug("'{}': {}", view.place.name, grows.error().to_string());
  }
  nodes_.end_growth(node, grows ? version : nullptr);
}

}  // namespace cairn
