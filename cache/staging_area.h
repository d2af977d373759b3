// Local files that take the writes of files open for writing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

// One sparse local file, open for reading and writing. Destroying it removes the file, unless it was kept.
// Thread-safety: fd() may be used with pread/pwrite from any thread; the rest by one thread at a time.
class StagingFile {
 public:
  virtual ~StagingFile() = default;
  [[nodiscard]] virtual int fd() const = 0;

  // Makes the bytes and `description` durable, to be found by take_kept() after a restart. May be called again, with a
  // newer description. Failures: no_space, io.
  virtual Result<void> keep(std::string_view description) = 0;
  // Undoes keep(): the bytes are safe elsewhere, and the file goes when this object does.
  virtual void release() = 0;
};

struct KeptStagingFile {
  std::string description;
  std::unique_ptr<StagingFile> file;  // still kept; release() it once its bytes are safe
};

// Thread-safety: all methods may be called from any thread.
class StagingArea {
 public:
  virtual ~StagingArea() = default;
  // Failures: no_space, io.
  virtual Result<std::unique_ptr<StagingFile>> create() = 0;
  // What an earlier process kept and never released. Called once, at start; what was not kept is removed and counted
  // in a log line, never silently.
  virtual Result<std::vector<KeptStagingFile>> take_kept() = 0;
};

}  // namespace cairn
