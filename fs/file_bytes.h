// The bytes of an open file, as everybody on this host sees them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/unique_fd.h"
#include "store/directories/entry_edits.h"
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
// The draft goes when its bytes are published and nobody has the file open for writing any more. What could not be
// published is frozen, to be kept as it is: the next write goes to a fork, a draft of its own with the same bytes.
//
// Thread-safety: all methods may be called from any thread; no lock is held over a remote call or a page sink.
// Failures: those of FileReader and Draft, with not_found as EIO: a missing chunk is no missing file.
// Durability: seal(), then whoever commits the version calls published(); what was frozen survives once it is kept.
class FileBytes {
 public:
  // `base` nullptr: an empty file. `sink` (may be empty) gets streamed pages for as long as nobody writes; a call
  // without bytes stops it (FileSystemControl::NodePageSink).
  // `identify` says whose bytes these are, for a draft that a crash leaves (Draft::note); empty, or if it says "":
  // nobody's.
  using Identify = std::function<std::string()>;
  // `half_read` is called once for each published version shown, by a reader's thread, when half of it was read.
  using HalfRead = std::function<void(const std::shared_ptr<FileReader>& reader)>;
  FileBytes(ByteSources sources, VersionPtr base, PageSink sink, Identify identify = {}, HalfRead half_read = {});
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  // Reads the manifest, so that a missing one fails the open and not the first read.
  Result<void> load(const RequestContext& context);
  // Brackets everything that may write. No page is on its way into the kernel any more when it returns. Who came last
  // is whose share of the staging area a draft takes that begins then.
  void add_writer(uint64_t session, uint32_t user);
  // Somebody reads with O_DIRECT: pages would be pushed for nobody from now on.
  void read_past_pages();
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
  // Up to `length` bytes of `from`, which may be these. For nothing where they are a published version's, go to the
  // same offsets, and nothing else is here or what is here came from it; else they are read and written. Fewer: `from`
  // ends there, or it is enough for one call.
  Result<size_t> copy(FileBytes& from, uint64_t from_offset, uint64_t offset, uint64_t length,
                      const RequestContext& context);
  // SEEK_DATA and SEEK_HOLE.
  Result<uint64_t> seek(uint64_t offset, int whence, const RequestContext& context);

  // `version`, which another host has published, is the one that is shown here with bytes appended. False: somebody
  // writes, and nothing has changed. The size stays what it was until show_growth().
  bool grow(const VersionPtr& version);
  void show_growth();

  // A local file with all bytes of the version that is shown; no file: there is none, or somebody has written.
  struct WholeImage {
    VersionPtr version;
    std::shared_ptr<const UniqueFd> file;
  };
  [[nodiscard]] WholeImage whole_image() const;

  [[nodiscard]] uint64_t size_bytes() const;
  // An upper bound of the bytes that are no holes.
  [[nodiscard]] uint64_t data_bytes() const;
  // The published version under the draft.
  [[nodiscard]] VersionPtr base() const;
  // True for the first to ask after a change since the last seal began: for whoever wants to know of changes, and not
  // of each.
  [[nodiscard]] bool notice() { return !noticed_.load(std::memory_order_relaxed) && !noticed_.exchange(true); }
  // There are bytes that no commit has named yet.
  [[nodiscard]] bool unpublished() const;
  [[nodiscard]] bool has_draft() const;
  // The modification time that goes with unpublished bytes; nullopt if there are none.
  [[nodiscard]] std::optional<Nanos> unpublished_mtime() const;
  // utimens of unpublished bytes; false if there are none, and the entry is to be changed.
  bool set_unpublished_mtime(Nanos mtime);

  // Makes the draft's bytes durable in the store, as the version to commit. After a failed commit the next seal is
  // cheap. Writes that arrive meanwhile stay unpublished. Not for a frozen draft.
  struct Sealed {
    VersionPtr version;
    std::shared_ptr<Draft> draft;  // which has these bytes; nullptr: there was nothing to seal
  };
  Result<Sealed> seal(uint64_t session, const RequestContext& context);
  // `version`, which has the bytes that `draft` was sealed with, is committed. False: these bytes show something newer.
  bool published(const std::shared_ptr<Draft>& draft, const VersionPtr& version);

  // What is unpublished, as it is now and stays.
  struct Frozen {
    std::shared_ptr<Draft> draft;
    VersionPtr base;                // that it was written on
    std::vector<VersionStamp> own;  // that may have been published since, and that it was written on as well
    VersionStamp stamp;             // what to publish it as
    Nanos mtime = 0;
  };
  // nullopt: nothing is unpublished. `session`: of whoever wants it kept; the stamp has it unless there is one already.
  std::optional<Frozen> freeze(uint64_t session);
  [[nodiscard]] std::shared_ptr<Draft> frozen() const;  // nullptr: the draft, if there is one, is being written
  // Shows what an earlier process kept, unless this one writes already.
  void adopt(const Frozen& kept);
  // Shows the base again in place of the frozen `draft`, as soon as nobody has the file open for writing.
  void let_go(const std::shared_ptr<Draft>& draft);
  // identify() says something else by now.
  void identity_changed();
  // Nobody will ever publish these bytes (the file was unlinked): a restart need not find them.
  void discard();

 private:
  Result<std::shared_ptr<FileReader>> reader(const RequestContext& context);
  // A draft that may be written to, made or forked if need be. It may be frozen again before it is used: see change().
  Result<std::shared_ptr<Draft>> writable_draft(const RequestContext& context);
  // And room in the staging area for a write to it.
  Result<std::shared_ptr<Draft>> draft_with_room(uint64_t offset, uint64_t length, StagingRoom::Place& room,
                                                 const RequestContext& context);
  Result<std::shared_ptr<Draft>> emptied_draft(const RequestContext& context);
  // copying.cpp: of a version that is published as it is shown here; nullptr if it is not, or is empty.
  Result<std::shared_ptr<FileReader>> published_reader(const RequestContext& context);
  Result<std::shared_ptr<Draft>> draft_over(const std::shared_ptr<FileReader>& source, const RequestContext& context);
  Result<size_t> share(FileBytes& from, uint64_t offset, uint64_t length, const RequestContext& context);
  Result<size_t> copy_step(FileBytes& from, uint64_t from_offset, uint64_t offset, uint64_t length,
                           MutableByteView piece, const RequestContext& context);
  std::shared_ptr<Draft> take_over(const std::shared_ptr<Draft>& before, std::shared_ptr<Draft> fresh);
  void note(Draft& draft);
  [[nodiscard]] bool may_write(const std::shared_ptr<Draft>& draft) const;
  // `change(Draft&)` of a draft from `prepare`, while it cannot be frozen.
  template <class Prepare, class Change>
  auto change(const Prepare& prepare, const Change& change) -> decltype(change(std::declval<Draft&>()));
  VersionStamp next_stamp_locked(uint64_t session) CAIRN_REQUIRES(mutex_);
  [[nodiscard]] std::shared_ptr<Draft> draft_if_any() const;
  void stop_sink();
  Result<void> allocate_in(Draft& draft, int mode, uint64_t offset, uint64_t length);
  Result<size_t> write_to(Draft& draft, uint64_t offset, ByteView bytes);
  void touch();
  [[nodiscard]] bool unpublished_locked() const CAIRN_REQUIRES(mutex_);
  // The caller destroys them once mutex_ is free again: a draft waits for the chunks that it is sending, and becomes
  // the image of its version.
  struct Dropped {
    Dropped() = default;
    Dropped(Dropped&&) = default;
    Dropped& operator=(Dropped&&) = default;
    ~Dropped();
    std::shared_ptr<Draft> draft;
    std::shared_ptr<FileReader> reader;
    VersionPtr version;                    // whose bytes the draft has; nullptr: no version's
    const ByteSources* sources = nullptr;  // set if there is a version
  };
  Dropped drop_draft_if_idle_locked() CAIRN_REQUIRES(mutex_);

  const ByteSources sources_;
  const PageSink sink_;
  const Identify identify_;
  const HalfRead half_read_;
  std::atomic<bool> noticed_{false};
  SharedMutex freezing_;  // orders freezing after every write, which shares it and is local; taken before the next two
  Mutex append_mutex_;    // orders appends: taken before mutex_, held over an append's write, which is local

  mutable Mutex mutex_;
  VersionPtr base_ CAIRN_GUARDED_BY(mutex_);
  std::shared_ptr<FileReader> reader_ CAIRN_GUARDED_BY(mutex_);  // of base_, opened when first needed
  std::shared_ptr<Draft> draft_ CAIRN_GUARDED_BY(mutex_);
  bool frozen_ CAIRN_GUARDED_BY(mutex_) = false;                  // draft_ is kept and takes no writes
  bool let_go_ CAIRN_GUARDED_BY(mutex_) = false;                  // of a frozen draft_
  bool noted_ CAIRN_GUARDED_BY(mutex_) = false;                   // a crash leaves word of whose draft_ is
  std::vector<VersionStamp> own_ CAIRN_GUARDED_BY(mutex_);        // of draft_ and what it was forked from; Frozen::own
  Nanos last_published_ CAIRN_GUARDED_BY(mutex_) = 0;             // stamps only grow
  uint64_t base_draft_ CAIRN_GUARDED_BY(mutex_) = 0;              // the number of the draft that base_ was; 0: of none
  std::optional<StoredContent> sealed_ CAIRN_GUARDED_BY(mutex_);  // durable, and no commit names it yet
  std::optional<Nanos> mtime_ CAIRN_GUARDED_BY(mutex_);           // of the unpublished bytes
  std::optional<uint64_t> shown_bytes_ CAIRN_GUARDED_BY(mutex_);  // the size, between grow() and show_growth()
  size_t writers_ CAIRN_GUARDED_BY(mutex_) = 0;
  bool reads_past_pages_ CAIRN_GUARDED_BY(mutex_) = false;
  uint64_t last_session_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint32_t last_user_ CAIRN_GUARDED_BY(mutex_) = 0;
};

template <class Prepare, class Change>
auto FileBytes::change(const Prepare& prepare, const Change& change) -> decltype(change(std::declval<Draft&>())) {
  while (true) {
    auto target = prepare();
    if (!target) return fail(std::move(target).error());
    if (*target) note(**target);
    const ReaderLock writing(freezing_);
    if (may_write(*target)) return change(**target);
  }
}

}  // namespace cairn
