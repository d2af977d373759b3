// The bytes of an image on the disk.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn {

// A sparse file of a fixed size. Whole blocks of the disk go to and from it by O_DIRECT, straight from and into the
// caller's memory where that lies as the file does (Buffer::placed with the offset), else through one copy; what is
// left at the edges goes through the page cache, as everything does on a file system that has no O_DIRECT.
//
// Thread-safety: all methods may be called from any thread; who writes what others read sees to the order.
class ImageFile {
 public:
  // Failures: not_found, no_space, io.
  static Result<std::unique_ptr<ImageFile>> create(const std::string& path, uint64_t size_bytes);
  // Failures: not_found; corrupt: it has another size.
  static Result<std::unique_ptr<ImageFile>> open(const std::string& path, uint64_t size_bytes);

  // Failures: no_space, io.
  Result<void> write(uint64_t offset, ByteView bytes);
  // Failures: io, also where the file ends too early.
  Result<void> read(uint64_t offset, MutableByteView out) const;
  // Zeros, without room on the disk. Failures: io.
  Result<void> punch(uint64_t offset, uint64_t length);
  [[nodiscard]] uint64_t inode() const;
  // What was written is on the disk.
  Result<void> sync();

  // A descriptor of its own for others, read-only: it stays good for as long as somebody has it.
  [[nodiscard]] const std::shared_ptr<const UniqueFd>& reader() const { return reader_; }

 private:
  ImageFile(UniqueFd cached, UniqueFd direct, std::shared_ptr<const UniqueFd> reader)
      : cached_(std::move(cached)), direct_(std::move(direct)), reader_(std::move(reader)) {}
  static Result<std::unique_ptr<ImageFile>> open_all(const std::string& path, UniqueFd cached);

  UniqueFd cached_;
  UniqueFd direct_;  // invalid: the file system has no O_DIRECT
  std::shared_ptr<const UniqueFd> reader_;
};

}  // namespace cairn
