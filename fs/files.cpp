// Open files: their bytes, and when those are published.
#include <fcntl.h>

#include <cerrno>

#include "base/log.h"
#include "base/posix_error.h"
#include "fs/store_file_system.h"

namespace cairn {

namespace {

bool is_writable(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0; }

// To begin with.
OpenMode mode_for(int flags) { return is_writable(flags) ? OpenMode::written : OpenMode::undecided; }

}  // namespace

// The node shows what the store calls current, or newer bytes of this host, or can be made to. If not, ESTALE makes the
// kernel look again, once: who comes back gets what the node has, which was current when they began, or is the version
// that others here have open.
Result<void> StoreFileSystem::check_current(FileNode& node, OpenMode mode, uint32_t thread,
                                            const RequestContext& context) {
  if (auto fresh = fresh_view(node, context); !fresh) return fail(std::move(fresh).error());
  catch_up(node, context);
  const FileView view = nodes_.view(node);
  const auto is_current = [&] {
    if (node.old_version || view.unlinked || (view.bytes && view.bytes->unpublished())) return true;
    const EntryPtr entry = view.place.parent->directory->find(view.place.name);
    if (!entry || entry->id != node.ino) return false;
    return same_bytes(entry->current(), view.version) && !nodes_.is_written_elsewhere(node, entry);
  };
  if (mode == OpenMode::written && view.native) return refuse_writer(node, thread);
  const bool is_held_back = mode == OpenMode::undecided && !view.unlinked && retire_if_held_back(node);
  if ((is_held_back || !is_current()) && refusals_.refuse(thread, view.place, node)) {
    if (mode == OpenMode::written) make_way(node);
    return fail_posix(ESTALE, "'{}' is another version by now", view.place.name);
  }
  refusals_.served(thread);
  return {};
}

std::shared_ptr<FileBytes> StoreFileSystem::open_bytes(FileNode& node, OpenMode mode) {
  return nodes_.open(node, mode, [&](const VersionPtr& version) {
    return std::make_shared<FileBytes>(
        sources_, version, page_sink_for(node.id), [this, &node] { return publisher_.identify(node); },
        [this, &node](const std::shared_ptr<FileReader>& reader) { half_read(node, reader); });
  });
}

void StoreFileSystem::half_read(FileNode& node, const std::shared_ptr<FileReader>& reader) {
  if (node.old_version) return;
  const FileView view = nodes_.view(node);
  if (!view.unlinked) siblings_.half_read(view.place.parent->directory, view.place.name, reader);
}

PageSink StoreFileSystem::page_sink_for(NodeId node) const {
  if (!page_sink_) return nullptr;
  return [sink = page_sink_, node](uint64_t offset, ByteView bytes, const SharedBuffer& chunk) {
    return sink(node, offset, bytes, chunk);
  };
}

Result<OpenReply> StoreFileSystem::open_file(NodeId id, int flags, const Caller& caller,
                                             const RequestContext& context) {
  auto node = file_node(id);
  if (!node) return fail(std::move(node).error());
  if ((*node)->kind == Kind::symlink) return fail_posix(ELOOP, "node {} is a symlink", id);
  if ((*node)->kind != Kind::file) return fail_posix(ENXIO, "node {} has no bytes", id);
  if (is_writable(flags)) {
    if (auto writable = check_writable(**node); !writable) return fail(std::move(writable).error());
  }
  if (auto current = check_current(**node, mode_for(flags), caller.thread, context); !current) {
    return fail(std::move(current).error());
  }
  auto shares = take_shares(flags, caller);
  if (!shares) return fail(std::move(shares).error());
  return open_node(*node, flags, environment_.random.next_u64(), std::move(*shares), caller.thread, context);
}

Result<StoreFileSystem::OpenShares> StoreFileSystem::take_shares(int flags, const Caller& caller) {
  OpenShares shares{.user = caller.uid};
  auto open = open_shares_.take(caller.uid);
  if (!open) return fail(std::move(open).error());
  shares.open = std::move(*open);
  if (!is_writable(flags)) return shares;
  auto writer = writer_shares_.take(caller.uid);
  if (!writer) return fail(std::move(writer).error());
  shares.writer = std::move(*writer);
  return shares;
}

Result<OpenReply> StoreFileSystem::open_node(const FileNodePtr& node, int flags, uint64_t session, OpenShares shares,
                                             uint32_t thread, const RequestContext& context) {
  auto file = std::make_shared<OpenFile>();
  file->shares = std::move(shares);
  file->node = node;
  file->mode = mode_for(flags);
  file->bytes = open_bytes(*node, file->mode);
  if (!file->bytes) return fail(refuse_writer(*node, thread).error());
  file->writable = is_writable(flags);
  file->append = (flags & O_APPEND) != 0;
  file->in_place = (flags & O_TRUNC) == 0 && file->bytes->base() && file->bytes->base()->size_bytes > 0;
  file->session = session;
  if (file->writable) file->bytes->add_writer(session, file->shares.user);
  if ((flags & O_DIRECT) != 0) file->bytes->read_past_pages();
  if (auto prepared = prepare(*file, flags, context); !prepared) {
    close(*file);
    return fail(std::move(prepared).error());
  }
  const auto backing = file->writable ? nullptr : decide_mode(*file);
  const bool keep_cache = (flags & O_TRUNC) == 0 && !backing;
  return OpenReply{files_.add(std::move(file)), keep_cache, backing ? backing->id : 0};
}

Result<void> StoreFileSystem::prepare(OpenFile& file, int flags, const RequestContext& context) {
  if ((flags & O_TRUNC) != 0) {
    auto emptied = resize(*file.node, *file.bytes, 0, context);
    if (emptied) periodic_.changed(file.node, *file.bytes);
    return emptied;
  }
  if ((flags & O_ACCMODE) == O_WRONLY) return {};
  return file.bytes->load(context);
}

void StoreFileSystem::close(OpenFile& file) {
  if (file.writable) file.bytes->remove_writer();
  file.bytes.reset();  // the node's are the last
  nodes_.close(*file.node, file.mode);
}

void StoreFileSystem::changed(const OpenFile& file) {
  periodic_.changed(file.node, *file.bytes);
  if (file.in_place) living_.note(file.node->ino);
}

Result<std::pair<NodeReply, OpenReply>> StoreFileSystem::create(NodeId parent, const std::string& name, uint32_t mode,
                                                                int flags, const Caller& caller,
                                                                const RequestContext& context) {
  auto where = target(parent, name, context);
  if (!where) return fail(std::move(where).error());
  const bool exclusive = (flags & O_EXCL) != 0;
  const uint64_t session = environment_.random.next_u64();
  bool is_new = false;
  OpenShares shares;
  if (!where->entry) {
    auto taken = take_shares(flags, caller);  // before there is a file that its maker cannot open
    if (!taken) return fail(std::move(taken).error());
    shares = std::move(*taken);
    const Entry entry = new_entry(*where->place.parent->directory, Kind::file, mode, caller);
    if (auto made = make_file(*where, entry, session, exclusive, context); !made) return fail(std::move(made).error());
    where->entry = where->place.parent->directory->find(name);
    if (!where->entry) return fail_posix(ENOENT, "'{}' is gone again", name);
    is_new = where->entry->id == entry.id;
  }
  if (exclusive && !is_new) return fail_posix(EEXIST, "'{}' exists", name);
  if (where->entry->kind == Kind::directory) return fail_posix(EISDIR, "'{}' is a directory", name);
  if (!is_new && is_writable(flags)) give_to_writers(where->entry->id);
  const FileNodePtr node = nodes_.hold_file(where->place, where->entry);
  auto opened = is_new ? open_node(node, flags & ~O_TRUNC, session, std::move(shares), caller.thread, context)
                       : open_file(node->id, flags, caller, context);
  if (opened && opened->backing != 0) {  // another host's file: who looks it up can be told of a backing
    release(opened->handle);
    opened = fail_posix(ESTALE, "'{}' is there by now", name);
  }
  if (!opened) {
    nodes_.release(node->id);
    return fail(std::move(opened).error());
  }
  if (is_new && environment_.options.commit_async) {
    if (const auto file = files_.find(opened->handle)) (*file)->made_name = true;
  }
  return std::make_pair(describe_file(*node), *opened);
}

Result<void> StoreFileSystem::make_file(const Target& where, const Entry& entry, uint64_t session, bool exclusive,
                                        const RequestContext& context) {
  auto creation = create_entry(where.place.name, entry, session, exclusive && !environment_.options.commit_async,
                               environment_.format.keep_versions);
  const auto& directory = where.place.parent->directory;
  // In order with the closes, it is this host's alone to say that the name was free.
  const bool is_decided_by_the_store = exclusive && !environment_.options.commit_async;
  if (is_decided_by_the_store) return directory->commit(std::move(creation), context);
  return publisher_.change_soon(directory, std::move(creation));
}

Result<size_t> StoreFileSystem::read(HandleId handle, uint64_t offset, MutableByteView out,
                                     const RequestContext& context) {
  auto file = files_.find(handle);
  if (!file) return fail(std::move(file).error());
  auto size_read = (*file)->bytes->read(offset, out, context);
  if (size_read) read_bytes_ += *size_read;
  return size_read;
}

Result<size_t> StoreFileSystem::write(HandleId handle, uint64_t offset, ByteView bytes, const RequestContext& context) {
  auto file = files_.find(handle);
  if (!file) return fail(std::move(file).error());
  if (!(*file)->writable) return fail_posix(EBADF, "not open for writing");
  auto written =
      (*file)->append ? (*file)->bytes->append(bytes, context) : (*file)->bytes->write(offset, bytes, context);
  if (written) {
    written_bytes_ += *written;
    changed(**file);
  }
  return written;
}

Result<size_t> StoreFileSystem::write_back(NodeId id, uint64_t offset, ByteView bytes, const RequestContext& context) {
  auto node = file_node(id);
  if (!node) return fail(std::move(node).error());
  if (auto writable = check_writable(**node); !writable) return fail(std::move(writable).error());
  const auto open = nodes_.view(**node).bytes;
  if (!open) return fail_posix(EBADF, "node {} is not open", id);
  auto written = open->write(offset, bytes, context);
  if (written) {
    written_bytes_ += *written;
    periodic_.changed(*node, *open);
    if (const VersionPtr base = open->base(); base && base->size_bytes > 0) living_.note((*node)->ino);
  }
  return written;
}

Result<void> StoreFileSystem::allocate(HandleId handle, int mode, uint64_t offset, uint64_t length,
                                       const RequestContext& context) {
  auto file = files_.find(handle);
  if (!file) return fail(std::move(file).error());
  if (!(*file)->writable) return fail_posix(EBADF, "not open for writing");
  auto done = (*file)->bytes->allocate(mode, offset, length, context);
  if (done) changed(**file);
  return done;
}

Result<uint64_t> StoreFileSystem::seek(HandleId handle, uint64_t offset, int whence, const RequestContext& context) {
  auto file = files_.find(handle);
  if (!file) return fail(std::move(file).error());
  return (*file)->bytes->seek(offset, whence, context);
}

Result<void> StoreFileSystem::flush(HandleId handle, const RequestContext& context) {
  auto file = files_.find(handle);
  if (!file) return fail(std::move(file).error());
  if (auto drafted = draft_new_name(**file, context); !drafted) return drafted;
  if (!(*file)->writable && !(*file)->made_name) return {};
  return publisher_.publish((*file)->node, (*file)->session, context);
}

// A file that was made in order and has no byte is closed like any other: it is kept here, and outlives this process.
Result<void> StoreFileSystem::draft_new_name(OpenFile& file, const RequestContext& context) {
  const FileView view = nodes_.view(*file.node);
  if (!file.made_name || view.unlinked || file.bytes->has_draft()) return {};
  const EntryPtr committed = view.place.parent->directory->find_committed(view.place.name);
  if (committed && committed->id == file.node->ino) return {};
  if (auto emptied = file.bytes->truncate(0, context); !emptied) return emptied;
  file.bytes->set_unpublished_mtime(view.entry->attributes.mtime);
  return {};
}

// Publishes, and waits for the changes that were only to be committed soon: the name itself, its mode, its times. And
// for what was closed before, where closes do not wait themselves.
Result<void> StoreFileSystem::sync(HandleId handle, const RequestContext& context) {
  auto file = files_.find(handle);
  if (!file) return fail(std::move(file).error());
  const FileNodePtr& node = (*file)->node;
  if (auto published = publisher_.publish(node, (*file)->session, context); !published) return published;
  if (auto drained = drain_order(context); !drained) return drained;
  if (auto told = publisher_.tell(*node); !told) return told;
  const FileView view = nodes_.view(*node);
  if (node->old_version || view.unlinked || view.place.parent->directory->removed()) return {};
  return view.place.parent->directory->flush(context);
}

// Other hosts see what comes next no sooner than what was closed before it.
Result<void> StoreFileSystem::drain_order(const RequestContext& context) {
  return environment_.options.commit_async ? publisher_.drain(context) : Result<void>();
}

void StoreFileSystem::release(HandleId handle) {
  const auto file = files_.take(handle);
  if (!file) return;
  if (file->writable && file->bytes->unpublished()) publisher_.publish_at_release(file->node, file->session);
  close(*file);
}

}  // namespace cairn
