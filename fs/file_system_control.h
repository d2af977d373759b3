// A filesystem as the daemon behind its mount sees it: what no system call asks for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/request_context.h"
#include "fs/backing.h"
#include "fs/file_system.h"
#include "fs/node_id.h"
#include "fs/publish_open_rules.h"
#include "store/format/entry.h"

namespace cairn {

// Directories are shown as they were last known, since the store does not answer.
struct Outage {
  Nanos since = 0;    // wall clock
  std::string error;  // of the last question
};

// Closes that have returned and are not in the store yet.
struct QueueStats {
  uint64_t closes = 0;
  uint64_t bytes = 0;
  Nanos oldest = 0;     // wall clock; 0: there is none
  std::string error{};  // why the last attempt failed; "": it did not
};

// Files that the kernel reads by itself, from local files.
struct NativeReads {
  std::string why_not = "no mount";  // "": it may
  uint64_t opens = 0;                // that were served so
};

struct FileSystemStats {
  uint64_t nodes = 0;
  uint64_t open_handles = 0;
  uint64_t open_drafts = 0;
  uint64_t kept_drafts = 0;  // closed with an error: staged here, retried
  PublishOpenRules publish_open{};
  uint64_t published_while_open = 0;  // publications that came of these rules
  uint64_t pending_directories = 0;
  QueueStats queue{};
  uint64_t read_bytes = 0;     // answered to read(): what the callers saw, wherever it came from
  uint64_t written_bytes = 0;  // taken by write() and write_back()
  NativeReads native_reads{};
  std::optional<Outage> outage{};
};

// Bytes of a file that are on this machine only.
struct UnpublishedFile {
  std::string path;  // below the root, as it was known when it was opened
  uint64_t size_bytes = 0;
  std::string error;       // why: the last attempt's failure, or what is to be decided
  uint64_t number = 0;     // what the calls below know it by
  std::string state{};     // KeptState, as a word
  Nanos since = 0;         // wall clock: when it was kept, or last written
  bool is_queued = false;  // closed, and its turn has not come
};

// Thread-safety: all methods may be called from any thread at once.
class FileSystemControl {
 public:
  virtual ~FileSystemControl() = default;

  // PageSink of store/reading/page_sink.h, for all nodes: takes verified pages that no read has asked for yet. nullptr:
  // there is none. Set once, before requests. `bytes` lie within `chunk`, which may be held until they are delivered.
  // A call without bytes comes before the node's bytes may change (its first open for writing, a truncate): drop what
  // is queued for the node, and return once none of it can reach the kernel any more. Never made while a page of the
  // node is being written, so waiting for the kernel is safe here.
  using NodePageSink = std::function<bool(NodeId node, uint64_t offset, ByteView bytes, const SharedBuffer& chunk)>;
  virtual void set_page_sink(NodePageSink sink) = 0;

  // Told before a node shows another version than before (docs/semantics.md, "No tearing"): its attributes, and its
  // pages from `from` on, must be gone from whoever keeps them once the call returns. nullptr: nobody keeps any. Set
  // once, before requests.
  using NodeChangeSink = std::function<void(NodeId node, uint64_t from)>;
  virtual void set_change_sink(NodeChangeSink sink) = 0;

  // The kernel's table of local files that it can read by itself, or why there is none. Set once, before requests.
  virtual void set_backings(Result<std::shared_ptr<Backings>> backings) = 0;

  // What statfs answers; nullptr: room for whatever a program asks for before it writes. Set once, before requests.
  using SpaceSource = std::function<FileSystemStatfs()>;
  virtual void set_space_source(SpaceSource source) = 0;

  // For the control socket: the entry at a path below the root, or what is left of a deleted one, as this host sees it,
  // with what it has not committed yet. Follows no symlinks.
  virtual Result<Entry> entry_at(const std::string& path, const RequestContext& context) = 0;

  // What was closed, and every change of names, is in the store when it returns. Failures: also those of closes since
  // the last call that cannot be published, once.
  virtual Result<void> sync_all(const RequestContext& context) = 0;

  // Publishes every dirty draft and pending change, as far as `context` allows; keeps the rest for the next mount.
  virtual Result<void> shut_down(const RequestContext& context) = 0;

  [[nodiscard]] virtual FileSystemStats stats() const = 0;
  // FileSystemStats::kept_drafts of them, what is queued, what was never closed, and what belongs to other stores; by
  // number.
  [[nodiscard]] virtual std::vector<UnpublishedFile> unpublished() const = 0;
  // One more attempt, on a person's word. Failures: not_found: no such number; what is in the way, as status says it.
  virtual Result<void> publish_kept(uint64_t number, const RequestContext& context) = 0;
  // For good. Failures: not_found.
  virtual Result<void> discard_kept(uint64_t number) = 0;
  // A new file with all its bytes. Failures: not_found; already_exists: `path` does; those of reading and of the disk.
  virtual Result<void> export_kept(uint64_t number, const std::string& path, const RequestContext& context) = 0;
};

}  // namespace cairn
