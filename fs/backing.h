// Local files that the kernel reads by itself, in place of a mount's.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/result.h"

namespace cairn {

// The kernel's table of such files for one mount.
// Thread-safety: all methods may be called from any thread.
class Backings {
 public:
  virtual ~Backings() = default;

  // The kernel keeps the file open, whatever becomes of `fd` and of the file's name. Never 0. Failures: the kernel's.
  virtual Result<int32_t> open(int fd) = 0;
  // Who has it open still reads it.
  virtual void close(int32_t id) = 0;
};

// A file in that table, for as long as somebody holds this.
class Backing {
 public:
  static Result<std::shared_ptr<const Backing>> open(std::shared_ptr<Backings> table, int fd) {
    const auto opened = table->open(fd);
    if (!opened) return fail(opened.error());
    return std::make_shared<const Backing>(std::move(table), *opened);
  }
  Backing(std::shared_ptr<Backings> table, int32_t number) : id(number), table_(std::move(table)) {}
  ~Backing() { table_->close(id); }
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;

  const int32_t id;

 private:
  const std::shared_ptr<Backings> table_;
};

}  // namespace cairn
