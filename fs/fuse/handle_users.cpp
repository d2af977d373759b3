#include "fs/fuse/handle_users.h"

#include <algorithm>

namespace cairn {

namespace {

constexpr size_t kMostThreads = 64;
constexpr size_t kMostProcesses = 256;

bool lists(const std::vector<pid_t>& numbers, pid_t number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

}  // namespace

void HandleUsers::opened(HandleId handle, NodeId node, pid_t thread) {
  {
    const WriterLock lock(mutex_);
    handles_[handle].node = node;
    ++nodes_[node].handles;
  }
  wrote(handle, thread);
}

bool HandleUsers::knows(HandleId handle, pid_t thread) const {
  const ReaderLock lock(mutex_);
  const auto found = handles_.find(handle);
  return found == handles_.end() || found->second.everybody || lists(found->second.threads, thread);
}

void HandleUsers::wrote(HandleId handle, pid_t thread) {
  if (knows(handle, thread)) return;
  const std::optional<pid_t> process = callers_.process_of(thread);
  const WriterLock lock(mutex_);
  const auto found = handles_.find(handle);
  if (found == handles_.end()) return;
  Users& users = found->second;
  if (!process) users.everybody = true;
  if (users.everybody) return;
  if (users.threads.size() == kMostThreads) users.threads.clear();
  users.threads.push_back(thread);
  if (!lists(users.processes, *process)) users.processes.push_back(*process);
  users.everybody = users.processes.size() > kMostProcesses;
}

void HandleUsers::wrote_back(NodeId node) {
  const WriterLock lock(mutex_);
  if (const auto found = nodes_.find(node); found != nodes_.end()) found->second.mapped = true;
}

void HandleUsers::publishes(NodeId node) {
  const WriterLock lock(mutex_);
  if (const auto found = nodes_.find(node); found != nodes_.end()) found->second.mapped = false;
}

void HandleUsers::released(HandleId handle) {
  const WriterLock lock(mutex_);
  const auto users = handles_.extract(handle);
  if (!users) return;
  const auto node = nodes_.find(users.mapped().node);
  if (--node->second.handles == 0) nodes_.erase(node);
}

bool HandleUsers::is_in_use_by(HandleId handle, pid_t thread) const {
  if (knows(handle, thread)) return true;
  const std::optional<pid_t> process = callers_.process_of(thread);
  const ReaderLock lock(mutex_);
  const auto found = handles_.find(handle);
  if (!process || found == handles_.end() || lists(found->second.processes, *process)) return true;
  const auto node = nodes_.find(found->second.node);
  return node != nodes_.end() && node->second.mapped;
}

}  // namespace cairn
