// Which files the kernel reads by itself: those of which all bytes are in one local file, and which nobody changes.
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/posix_error.h"
#include "fs/store_file_system.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kTimeToLookAgain{10};

}  // namespace

void StoreFileSystem::set_backings(Result<std::shared_ptr<Backings>> backings) {
  no_backings_ = backings ? "" : backings.error().to_string();
  if (backings) backings_ = std::move(*backings);
}

// Not what is alive: a native reader sees the version that it has opened, and nothing of what is written to it later.
bool StoreFileSystem::may_be_native(const FileNode& node) const {
  if (!backings_) return false;
  if (node.old_version) return true;
  return !living_.contains(node.ino) && !periodic_.rules().matches(nodes_.view(node).place.name);
}

// Readers that came before all of the version was here have the node to themselves from now on: for as long as one of
// them stays, nobody could be served natively there.
bool StoreFileSystem::retire_if_held_back(FileNode& node) {
  if (!backings_ || !nodes_.is_only_read(node)) return false;
  const auto bytes = nodes_.view(node).bytes;
  return bytes && bytes->whole_image().file && may_be_native(node) && nodes_.retire_only_read(node);
}

// What the next look-up gives can be opened to be written: nobody reads it natively, nor will anybody before that.
void StoreFileSystem::give_to_writers(EntryId file) {
  living_.note(file, kTimeToLookAgain);
  nodes_.retire_native(file);
}

void StoreFileSystem::make_way(const FileNode& node) {
  const NodePlace place = nodes_.view(node).place;
  const EntryPtr named = place.parent ? place.parent->directory->find(place.name) : nullptr;
  give_to_writers(node.ino);
  if (named && named->id != node.ino) give_to_writers(named->id);
}

// The kernel looks the name up again, once.
Result<void> StoreFileSystem::refuse_writer(const FileNode& node, uint32_t thread) {
  make_way(node);
  const NodePlace place = nodes_.view(node).place;
  if (thread == 0 || refusals_.refuse_node(thread, place, node)) {
    return fail_posix(ESTALE, "'{}' is read natively", place.name);
  }
  return fail_posix(ETXTBSY, "'{}' was reached without its name and is read natively: open it by name, or later",
                    place.name);
}

std::shared_ptr<const Backing> StoreFileSystem::decide_mode(OpenFile& file) {
  FileBytes::WholeImage image;
  std::shared_ptr<const Backing> offered;
  if (may_be_native(*file.node) && !nodes_.view(*file.node).native) image = file.bytes->whole_image();
  if (image.file) {
    auto made = Backing::open(backings_, image.file->get());
    if (made) offered = std::move(*made);
    if (!made)
      log::debug("'{}' is not read natively: {}", nodes_.view(*file.node).place.name, made.error().to_string());
  }
  const auto is_wanted = [&] { return file.node->old_version || !living_.contains(file.node->ino); };
  auto backing = nodes_.decide(*file.node, image.version, std::move(offered), is_wanted);
  file.mode = backing ? OpenMode::native : OpenMode::cached;
  if (backing) ++native_opens_;
  return backing;
}

}  // namespace cairn
