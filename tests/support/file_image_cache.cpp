#include "tests/support/file_image_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/check.h"

namespace cairn {

namespace {

std::string key_of(uint64_t size_bytes, const std::vector<ChunkRef>& chunks) {
  std::string key = fmt::format("{}", size_bytes);
  for (const ChunkRef& chunk : chunks) {
    key += fmt::format("/{}:", chunk.offset);
    key.append(reinterpret_cast<const char*>(&chunk.id), sizeof chunk.id);
  }
  return key;
}

}  // namespace

class FileImageCache::FileImage final : public Image {
 public:
  FileImage(std::string path, std::shared_ptr<const UniqueFd> file, const std::atomic<bool>& hidden)
      : path_(std::move(path)), file_(std::move(file)), hidden_(hidden) {}
  ~FileImage() override { ::unlink(path_.c_str()); }
  FileImage(const FileImage&) = delete;
  FileImage& operator=(const FileImage&) = delete;

  void put(const ChunkRef&, SharedBuffer) override {}
  bool adopt(StagingFile&, const std::function<bool(const ChunkRef&)>&) override { return false; }
  [[nodiscard]] bool contains(const ChunkRef&) const override { return true; }
  [[nodiscard]] std::shared_ptr<const UniqueFd> whole() const override { return hidden_ ? nullptr : file_; }

 private:
  const std::string path_;
  const std::shared_ptr<const UniqueFd> file_;
  const std::atomic<bool>& hidden_;
};

ImagePtr FileImageCache::open(uint64_t size_bytes, const ChunkList& chunks) {
  if (size_bytes == 0 || source_ == nullptr) return nullptr;
  const std::string key = key_of(size_bytes, *chunks);
  {
    const MutexLock lock(mutex_);
    if (const auto found = images_.find(key); found != images_.end()) return found->second;
  }
  const std::string path = (directory_.path() / fmt::format("{}", ++files_)).string();
  auto file = fill(path, size_bytes, *chunks);
  if (!file) return nullptr;
  auto image = std::make_shared<FileImage>(path, std::move(file), hidden_);
  const MutexLock lock(mutex_);
  return images_.emplace(key, std::move(image)).first->second;
}

// The descriptor can only read, as one of a real image.
std::shared_ptr<const UniqueFd> FileImageCache::fill(const std::string& path, uint64_t size_bytes,
                                                     const std::vector<ChunkRef>& chunks) const {
  const UniqueFd file(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  check(file.valid() && ::ftruncate(file.get(), static_cast<off_t>(size_bytes)) == 0, "a test can make a file");
  for (const ChunkRef& chunk : chunks) {
    Buffer bytes(chunk.size);
    if (!source_.load()->read(chunk, 0, bytes.mutable_view(), test_context(Cause::maintenance))) return nullptr;
    check(::pwrite(file.get(), bytes.data(), chunk.size, static_cast<off_t>(chunk.offset)) == chunk.size,
          "a test can write its files");
  }
  return std::make_shared<const UniqueFd>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

void FileImageCache::clear() {
  std::vector<ImagePtr> gone;  // after the lock
  const MutexLock lock(mutex_);
  for (auto it = images_.begin(); it != images_.end();) {
    const bool is_held = it->second.use_count() > 1;
    if (!is_held) gone.push_back(std::move(it->second));
    it = is_held ? std::next(it) : images_.erase(it);
  }
}

}  // namespace cairn
