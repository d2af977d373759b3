#include "cli/progress.h"

#include <fmt/format.h>

#include "base/units.h"

namespace cairn {

namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kPlainLine{3};
constexpr size_t kBarWidth = 24;

std::string bar(uint64_t done, uint64_t total) {
  const size_t filled = total == 0 ? 0 : std::min<uint64_t>(done * kBarWidth / total, kBarWidth);
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, ' ') + "]";
}

std::string time_left(uint64_t done, uint64_t total, std::chrono::nanoseconds elapsed) {
  if (done == 0 || total <= done || elapsed < std::chrono::seconds(1)) return {};
  const double share = static_cast<double>(total - done) / static_cast<double>(done);
  const std::chrono::duration<double, std::nano> left(static_cast<double>(elapsed.count()) * share);
  return ", " + human_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(left)) + " left";
}

}  // namespace

Progress::Progress(const Streams& streams, std::string what, const Clock& clock)
    : streams_(streams), what_(std::move(what)), clock_(clock), started_(clock.steady_now()), shown_(started_) {}

Progress::~Progress() {
  if (drawn_) streams_.err << "\r\033[K" << std::flush;
}

void Progress::show(uint64_t done, uint64_t total, const std::string& detail) {
  const SteadyTime now = clock_.steady_now();
  if (now - shown_ < (streams_.terminal ? std::chrono::nanoseconds(kRedraw) : std::chrono::nanoseconds(kPlainLine))) {
    return;
  }
  shown_ = now;
  const uint64_t percent = total == 0 ? 0 : std::min<uint64_t>(done * 100 / total, 100);
  const std::string text = fmt::format("{:3}% {}{}", percent, detail, time_left(done, total, now - started_));
  if (streams_.terminal) {
    streams_.err << "\r" << what_ << " " << bar(done, total) << " " << text << "\033[K" << std::flush;
    drawn_ = true;
  } else {
    streams_.err << what_ << ": " << text << std::endl;
  }
}

}  // namespace cairn
