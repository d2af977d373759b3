// Contents, and a cache of images in a directory of the test's own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cache/images/disk_image_cache.h"
#include "tests/support/fake_clock.h"
#include "tests/support/test_environment.h"

namespace cairn {

namespace fs = std::filesystem;

inline constexpr uint32_t kChunk = 1 << 20;

// A file's content: chunks of `seeds`, one behind the other from `begin` on.
struct ImageContent {
  uint64_t size_bytes = 0;
  ChunkList chunks;
  std::vector<uint64_t> seeds;

  explicit ImageContent(const std::vector<uint64_t>& of, uint64_t begin = 0, uint32_t chunk_bytes = kChunk)
      : seeds(of) {
    std::vector<ChunkRef> list;
    uint64_t at = begin;
    for (const uint64_t seed : of) {
      const Buffer plain = random_bytes(chunk_bytes, seed);
      list.push_back({at, chunk_bytes, sha256(plain.view()), xxh3_128(plain.view())});
      at += chunk_bytes;
    }
    size_bytes = at;
    chunks = std::make_shared<const std::vector<ChunkRef>>(std::move(list));
  }

  [[nodiscard]] const ChunkRef& chunk(size_t i) const { return (*chunks)[i]; }
  [[nodiscard]] SharedBuffer plain(size_t i) const {
    return std::make_shared<const Buffer>(random_bytes(chunk(i).size, seeds[i]));
  }
};

class DiskImageCacheTest : public testing::Test {
 protected:
  std::unique_ptr<DiskImageCache> open_cache(uint64_t capacity = 64 << 20, BlockCache* blocks = nullptr,
                                             uint32_t care = 0) {
    auto cache = DiskImageCache::open({.path = path(),
                                       .capacity_bytes = capacity,
                                       .least_bytes = 2 << 20,
                                       .care = care,
                                       .blocks = blocks,
                                       .clock = &clock_});
    EXPECT_TRUE(cache) << cache.error().to_string();
    return std::move(*cache);
  }
  static ImagePtr open_image(ImageCache& cache, const ImageContent& content) {
    return cache.open(content.size_bytes, content.chunks);
  }
  static void put_all(Image& image, const ImageContent& content) {
    for (size_t i = 0; i < content.seeds.size(); ++i) image.put(content.chunk(i), content.plain(i));
  }
  static void bring(ImageCache& cache, const ImageContent& content) {
    put_all(*open_image(cache, content), content);
    cache.flush();
  }
  // Whether the cache answers for the chunk, which must then be with the right bytes: as a whole, and in part.
  static bool reads(ImageCache& cache, const ImageContent& content, size_t i) {
    const SharedBuffer right = content.plain(i);
    Buffer part(1000);
    if (!cache.read(content.chunk(i), 5000, part.mutable_view())) return false;
    EXPECT_TRUE(std::ranges::equal(part.view(), right->view().subspan(5000, 1000)));
    Buffer whole = Buffer::placed(right->size(), content.chunk(i).offset % Buffer::kPageBytes);
    if (!cache.read(content.chunk(i), 0, whole.mutable_view())) return false;
    EXPECT_TRUE(std::ranges::equal(whole.view(), right->view()));
    return true;
  }
  // What a reader of the file itself gets.
  static std::string bytes_of(const UniqueFd& file, uint64_t size) {
    std::string bytes(size + 1, '\0');
    const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }
  static std::string expected_of(const ImageContent& content) {
    std::string bytes(content.chunk(0).offset, '\0');
    for (size_t i = 0; i < content.seeds.size(); ++i) bytes += as_text(content.plain(i)->view());
    return bytes;
  }
  [[nodiscard]] std::vector<fs::path> files(const std::string& suffix) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(path() + "/images")) {
      if (entry.path().extension() == suffix) found.push_back(entry.path());
    }
    return found;
  }
  static void flip_a_bit(const fs::path& file, uint64_t offset) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset));
    const auto byte = static_cast<char>(stream.get() ^ 0x10);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.put(byte);
  }
  [[nodiscard]] std::string path() const { return directory_.path().string(); }

  TemporaryDirectory directory_;
  FakeClock clock_;
};

}  // namespace cairn
