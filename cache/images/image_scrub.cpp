#include "cache/images/image_scrub.h"

#include "base/wait.h"

namespace cairn {

namespace {

constexpr auto kEvery = std::chrono::hours(24);
constexpr auto kLookEvery = std::chrono::minutes(1);  // whether there is an image to read

}  // namespace

ImageScrub::ImageScrub(DiskImageCache& images, uint64_t bytes_per_second)
    : images_(images),
      bytes_per_second_(bytes_per_second),
      thread_("image scrub", [this](const std::stop_token& stop) { run(stop); }) {}

void ImageScrub::run(const std::stop_token& stop) {
  const auto goes_on_after = [&](std::chrono::nanoseconds duration) {
    (void)pause(duration, RequestContext::within(2 * duration, Cause::maintenance, stop));
    return !stop.stop_requested();
  };
  const auto may_read = [&](uint64_t bytes) {
    return goes_on_after(std::chrono::nanoseconds(std::chrono::seconds(1)) * bytes / bytes_per_second_);
  };
  while (goes_on_after(kLookEvery)) {
    while (!stop.stop_requested() && images_.scrub_one(system_clock().steady_now() - kEvery, may_read)) {
    }
  }
}

}  // namespace cairn
