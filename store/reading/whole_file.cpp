#include "store/reading/whole_file.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace cairn {

namespace {

constexpr size_t kRegions = 3;
constexpr std::chrono::seconds kRegionsWithin{30};
constexpr size_t kShare = 2;          // of all chunks, a half
constexpr size_t kFewestTouched = 8;  // is no share of anything below that
constexpr size_t kLoadedPart = 16;    // a load was one of the whole but for a sixteenth
constexpr size_t kReadyPerTouched = 2;
constexpr size_t kMostHeld = 4;  // so that what a reader has begun is not handed over behind many others

}  // namespace

void WholeFile::prepare() {
  if (state_.empty()) state_.resize(chunks_);
}

void WholeFile::touch(size_t first, size_t last) {
  prepare();
  has_no_room_ = false;
  for (size_t i = first; i < std::min(last, chunks_); ++i) {
    Chunk& chunk = state_[i];
    if (std::exchange(chunk.is_touched, true)) continue;
    order_.push_back(static_cast<uint32_t>(i));
    if (chunk.is_asked) --asked_untouched_;
  }
}

void WholeFile::add_region(SteadyTime now) {
  // What a load has yet to touch is no second one.
  if (is_recognised_ && !(is_complete_ && order_.size() == chunks_)) return;
  regions_.push_back(now);
  if (regions_.size() > kRegions) regions_.pop_front();
}

bool WholeFile::recognise() {
  const bool has_regions = regions_.size() == kRegions && regions_.back() - regions_.front() <= kRegionsWithin;
  const bool has_share = !is_recognised_ && order_.size() >= kFewestTouched && order_.size() * kShare >= chunks_;
  if (!has_regions && !has_share) return false;
  regions_.clear();
  if (is_complete_) {  // once more: the kernel has lost what it was given
    state_.assign(chunks_, {});
    order_.clear();
    asked_untouched_ = 0;
  }
  is_recognised_ = true;
  is_complete_ = false;
  return true;
}

bool WholeFile::is_loaded() const { return order_.size() >= chunks_ - chunks_ / kLoadedPart; }

void WholeFile::begin(std::vector<uint32_t> order) {
  prepare();
  plan_ = std::move(order);
  std::vector<bool> is_listed(chunks_);
  for (const uint32_t chunk : plan_) is_listed[chunk] = true;
  plan_.reserve(chunks_);
  for (size_t i = 0; i < chunks_; ++i) {
    if (!is_listed[i]) plan_.push_back(static_cast<uint32_t>(i));
  }
  cursor_ = 0;
  streams_ = true;
}

std::optional<size_t> WholeFile::next(size_t held) {
  if (!streams_ || has_no_room_ || under_way_ + held >= window_ || held >= kMostHeld) return std::nullopt;
  if (asked_untouched_ >= kReadyPerTouched * order_.size() + window_) return std::nullopt;
  while (!again_.empty() || cursor_ < plan_.size()) {
    const size_t chunk = take_next();
    if (state_[chunk].is_asked || state_[chunk].is_touched) continue;
    mark_asked(chunk);
    ++under_way_;
    return chunk;
  }
  if (under_way_ == 0) {
    streams_ = false;
    is_complete_ = true;
  }
  return std::nullopt;
}

size_t WholeFile::take_next() {
  if (again_.empty()) return plan_[cursor_++];
  const size_t chunk = again_.front();
  again_.pop_front();
  return chunk;
}

void WholeFile::mark_asked(size_t chunk) {
  if (std::exchange(state_[chunk].is_asked, true)) return;
  if (!state_[chunk].is_touched) ++asked_untouched_;
}

void WholeFile::landed() {
  --under_way_;
  has_no_room_ = false;
}

void WholeFile::retract(size_t chunk) {
  --under_way_;
  give_back(chunk);
}

void WholeFile::give_back(size_t chunk) {
  has_no_room_ = true;
  if (std::exchange(state_[chunk].is_asked, false) && !state_[chunk].is_touched) --asked_untouched_;
  if (streams_) again_.push_back(static_cast<uint32_t>(chunk));
}

bool WholeFile::ask(size_t chunk) {
  prepare();
  const bool is_new = !state_[chunk].is_asked && !state_[chunk].is_touched;
  mark_asked(chunk);
  return is_new || !streams_;
}

bool WholeFile::take_rest(size_t chunk) {
  return is_recognised_ && !state_[chunk].is_asked && !std::exchange(state_[chunk].is_handed_over, true);
}

}  // namespace cairn
