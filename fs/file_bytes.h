// The bytes of an open file, as everybody on this host sees them.
#pragma once

#include <memory>
#include <optional>

#include "base/mutex.h"
#include "store/drafts/draft.h"
#include "store/environment.h"
#include "store/reading/file_reader.h"

namespace cairn {

// What FileBytes and the publisher work with.
struct ByteSources {
  StoreEnvironment& environment;
  ChunkReader& reader;
  ChunkWriter& writer;
};

// A published version and, once somebody writes, one draft on top of it which all descriptors of this host share.
// The draft goes when its bytes are published and nobody has the file open for writing any more.
//
// Thread-safety: all methods may be called from any thread; no lock is held over a remote call or a page sink.
// Failures: those of FileReader and Draft, with not_found as EIO: a missing chunk is no missing file.
// Durability: seal() makes the bytes durable in the store; the publisher commits the version, then calls published().
class FileBytes {
 public:
  // `base` nullptr: an empty file. `sink` (may be empty) gets streamed pages for as long as nobody writes; a call
  // without bytes stops it (FileSystemControl::NodePageSink).
  FileBytes(ByteSources sources, VersionPtr base, PageSink sink);
  // A draft that an earlier process kept: unpublished from the start.
  FileBytes(ByteSources sources, VersionPtr base, std::shared_ptr<Draft> draft, Nanos mtime);
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  // Reads the manifest, so that a missing one fails the open and not the first read.
  Result<void> load(const RequestContext& context);
  // Brackets everything that may write. The first writer stops the page sink before it returns.
  void add_writer(uint64_t session);
  void remove_writer();
  // Of the writer that came last: for a publication that no writer asked for.
  [[nodiscard]] uint64_t last_session() const;

  Result<size_t> read(uint64_t offset, MutableByteView out, const RequestContext& context);
  Result<size_t> write(uint64_t offset, ByteView bytes, const RequestContext& context);
  // Writes at the end, wherever that is by then.
  Result<size_t> append(ByteView bytes, const RequestContext& context);
  Result<void> truncate(uint64_t size_bytes, const RequestContext& context);
  // fallocate(2) with its mode flags.
  Result<void> allocate(int mode, uint64_t offset, uint64_t length, const RequestContext& context);
  // SEEK_DATA and SEEK_HOLE.
  Result<uint64_t> seek(uint64_t offset, int whence, const RequestContext& context);

  // `version`, which another host has published, is the one that is shown here with bytes appended. False: somebody
  // writes, and nothing has changed. The size stays what it was until show_growth().
  bool grow(const VersionPtr& version);
  void show_growth();

  [[nodiscard]] uint64_t size_bytes() const;
  // An upper bound of the bytes that are no holes.
  [[nodiscard]] uint64_t data_bytes() const;
  // The published version under the draft.
  [[nodiscard]] VersionPtr base() const;
  // There are bytes that no commit has named yet.
  [[nodiscard]] bool unpublished() const;
  [[nodiscard]] bool has_draft() const;
  // The modification time that goes with unpublished bytes; nullopt if there are none.
  [[nodiscard]] std::optional<Nanos> unpublished_mtime() const;
  // utimens of unpublished bytes; false if there are none, and the entry is to be changed.
  bool set_unpublished_mtime(Nanos mtime);

  // Makes the draft's bytes durable in the store, as the version to commit. After a failed commit the next seal is
  // cheap. Writes that arrive meanwhile stay unpublished.
  Result<VersionPtr> seal(uint64_t session, const RequestContext& context);
  // `version`, which seal() made, is committed.
  void published(VersionPtr version);
  // Makes the draft survive this process, to be recovered with `identity`.
  Result<void> keep(const std::string& identity);
  // Nobody will ever publish these bytes (the file was unlinked): a restart need not find them.
  void discard();

 private:
  Result<std::shared_ptr<FileReader>> reader(const RequestContext& context);
  Result<std::shared_ptr<Draft>> draft(const RequestContext& context);
  [[nodiscard]] std::shared_ptr<Draft> draft_if_any() const;
  void stop_sink();
  Result<void> allocate_in(Draft& draft, int mode, uint64_t offset, uint64_t length);
  Result<size_t> write_to(Draft& draft, uint64_t offset, ByteView bytes);
  void touch();
  [[nodiscard]] bool unpublished_locked() const CAIRN_REQUIRES(mutex_);
  // The caller destroys them once mutex_ is free again: a draft waits for the chunks that it is sending.
  struct Dropped {
    std::shared_ptr<Draft> draft;
    std::shared_ptr<FileReader> reader;
  };
  Dropped drop_draft_if_idle_locked() CAIRN_REQUIRES(mutex_);

  const ByteSources sources_;
  const PageSink sink_;
  Mutex append_mutex_;  // orders appends: taken before mutex_, held over an append's write, which is local

  mutable Mutex mutex_;
  VersionPtr base_ CAIRN_GUARDED_BY(mutex_);
  std::shared_ptr<FileReader> reader_ CAIRN_GUARDED_BY(mutex_);  // of base_, opened when first needed
  std::shared_ptr<Draft> draft_ CAIRN_GUARDED_BY(mutex_);
  std::optional<StoredContent> sealed_ CAIRN_GUARDED_BY(mutex_);  // durable, and no commit names it yet
  std::optional<Nanos> mtime_ CAIRN_GUARDED_BY(mutex_);           // of the unpublished bytes
  std::optional<uint64_t> shown_bytes_ CAIRN_GUARDED_BY(mutex_);  // the size, between grow() and show_growth()
  size_t writers_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t last_session_ CAIRN_GUARDED_BY(mutex_) = 0;
};

}  // namespace cairn
