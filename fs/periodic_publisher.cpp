#include "fs/periodic_publisher.h"

#include <utility>

#include "base/log.h"

namespace cairn {

PeriodicPublisher::PeriodicPublisher(StoreEnvironment& environment, NodeTable& nodes, Publisher& publisher,
                                     PublishOpenRules rules)
    : environment_(environment), nodes_(nodes), publisher_(publisher), rules_(std::move(rules)) {
  if (rules_.patterns.empty()) return;
  thread_.emplace("open files", [this](const std::stop_token& stop) { run(stop); });
}

PeriodicPublisher::~PeriodicPublisher() { stop(); }

void PeriodicPublisher::stop() {
  if (!thread_) return;
  thread_->request_stop();
  if (thread_->joinable()) thread_->join();
}

void PeriodicPublisher::changed(const FileNodePtr& node, FileBytes& bytes) {
  if (!rules_.patterns.empty() && bytes.notice()) add(node);
}

void PeriodicPublisher::consider(const FileNodePtr& node) {
  const auto bytes = nodes_.view(*node).bytes;
  if (!rules_.patterns.empty() && bytes && bytes->unpublished()) add(node);
}

void PeriodicPublisher::add(const FileNodePtr& node) {
  if (!rules_.matches(nodes_.view(*node).place.name)) return;
  const MutexLock lock(mutex_);
  if (!listed_.insert(node->id).second) return;
  waiting_.push_back({node, environment_.clock.steady_now() + rules_.after});
  ++added_;
  changed_.notify_all();
}

// nullptr: nothing is due yet.
FileNodePtr PeriodicPublisher::take_due() {
  if (waiting_.empty() || waiting_.front().due > environment_.clock.steady_now()) return nullptr;
  FileNodePtr node = std::move(waiting_.front().node);
  waiting_.pop_front();
  listed_.erase(node->id);
  return node;
}

void PeriodicPublisher::run(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    if (const FileNodePtr node = take_due()) {
      lock.unlock();
      publish(node, stop);
      lock.lock();
      continue;
    }
    const uint64_t seen = added_;
    const auto is_news = [this, seen]() CAIRN_REQUIRES(mutex_) { return added_ != seen; };
    if (waiting_.empty()) {
      changed_.wait(lock, stop, is_news);
      continue;
    }
    const auto until_next = waiting_.front().due - environment_.clock.steady_now();
    changed_.wait_for(lock, stop, until_next, is_news);
  }
}

// What was written meanwhile has told of itself unless the publication did not get so far.
void PeriodicPublisher::publish(const FileNodePtr& node, const std::stop_token& stop) {
  if (!rules_.matches(nodes_.view(*node).place.name)) return;
  RequestContext context = environment_.background(Cause::write_back);
  context.stop = stop;
  const auto done = publisher_.publish_open(node, context);
  if (done && *done) ++published_;
  if (!done && !stop.stop_requested()) log::warning("{}", done.error().to_string());
  consider(node);
}

}  // namespace cairn
