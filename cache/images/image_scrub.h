// Reads images again, so that a disk that forgets is noticed before somebody believes it.
#pragma once

#include "base/thread.h"
#include "cache/images/disk_image_cache.h"

namespace cairn {

// Each whole image once a day, at `bytes_per_second` at most, in a thread of its own. Ownership: borrows the cache.
class ImageScrub {
 public:
  // `bytes_per_second` > 0.
  ImageScrub(DiskImageCache& images, uint64_t bytes_per_second);

 private:
  void run(const std::stop_token& stop);

  DiskImageCache& images_;
  const uint64_t bytes_per_second_;
  Thread thread_;
};

}  // namespace cairn
