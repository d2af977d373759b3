#include "fs/refusals.h"

namespace cairn {

namespace {

std::pair<EntryId, std::string> where_of(const NodePlace& place) {
  return {place.parent ? place.parent->ino : 0, place.name};
}

}  // namespace

template <class Insists>
bool Refusals::refuse_unless(uint32_t thread, Refused refused, const Insists& insists) {
  if (thread == 0) return false;
  const MutexLock lock(mutex_);
  if (const auto before = refused_.extract(thread); before && insists(before.mapped())) return false;
  if (refused_.size() >= kMaxThreads) refused_.clear();
  refused_.emplace(thread, std::move(refused));
  return true;
}

bool Refusals::refuse(uint32_t thread, const NodePlace& place, const Node& node) {
  const Where where = where_of(place);
  return refuse_unless(thread, {where, node.id}, [&](const Refused& before) { return before.where == where; });
}

bool Refusals::refuse_node(uint32_t thread, const NodePlace& place, const Node& node) {
  return refuse_unless(thread, {where_of(place), node.id},
                       [&](const Refused& before) { return before.node == node.id; });
}

void Refusals::served(uint32_t thread) {
  if (thread == 0) return;
  const MutexLock lock(mutex_);
  refused_.erase(thread);
}

}  // namespace cairn
