// Local files that take the writes of files open for writing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "cache/staging_room.h"

namespace cairn {

// One sparse local file, open for reading and writing. Destroying it removes the file, unless it was kept.
// Thread-safety: all methods may be called from any thread; fd() is for pread and pwrite.
class StagingFile {
 public:
  virtual ~StagingFile() = default;
  [[nodiscard]] virtual int fd() const = 0;
  // Grows with every file of its area, and is what people call a kept one by.
  [[nodiscard]] virtual uint64_t number() const = 0;

  // Writes down whose bytes these are while they are still being written, so that a crash of this process (not of the
  // machine) leaves them to somebody. What was logged before is forgotten. Failures: no_space, io.
  virtual Result<void> note(std::string_view description) = 0;
  // Writes `record` at `position` of the log that follows the note; nothing if there is none, or after a keep. Costs
  // one write(2).
  virtual Result<void> log(uint64_t position, ByteView record) = 0;

  // Makes the bytes and `description` durable, to be found by take_kept() after a restart. May be called again, with a
  // newer description. Failures: no_space, io.
  virtual Result<void> keep(std::string_view description) = 0;
  // keep() for bytes that are about to be safe elsewhere: costs a small file less, and writes its bytes a second time.
  virtual Result<void> keep_briefly(std::string_view description) = 0;
  // So many bytes are staged in it now: what its area's room is told.
  virtual void count(uint64_t staged_bytes) = 0;
  // Whose share of the room they are of.
  [[nodiscard]] virtual uint32_t user() const = 0;
  // One that was found at start is this user's from now on.
  virtual void belongs_to(uint32_t user) = 0;

  // Gives the file another name on the same file system, and away: from then on it is the caller's, though fd() goes on
  // reading it. After release(). Failures: io (it is kept, or `path` is on another file system).
  virtual Result<void> move_to(const std::string& path) = 0;

  // Undoes keep(), keep_briefly() and note(): the bytes are safe elsewhere, and the file goes when this object does.
  virtual void release() = 0;
};

struct KeptStagingFile {
  uint64_t number = 0;
  std::string description;
  bool is_kept = true;                // false: was being written when its process ended; only note() had been called
  std::string log;                    // what followed the note
  std::unique_ptr<StagingFile> file;  // root's, so far; stays on the disk: release() it once its bytes are safe
};

// Thread-safety: all methods may be called from any thread.
class StagingArea {
 public:
  virtual ~StagingArea() = default;
  // Failures: no_space (EDQUOT: `user` has as many as are left for all), io.
  virtual Result<std::unique_ptr<StagingFile>> create(uint32_t user) = 0;
  // What an earlier process kept and never released, or noted and never closed, in the order of their numbers. Called
  // once, at start; files of which nothing is known are removed and counted in a log line, never silently.
  virtual Result<std::vector<KeptStagingFile>> take_kept() = 0;
  // What its files share.
  virtual StagingRoom& room() = 0;
};

}  // namespace cairn
