#include "store/directories/directory_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/posix_error.h"
#include "base/units.h"

namespace cairn {

namespace {

// Something stays under the name when `entry` is unlinked: its history, a directory's id, or the mark of a move.
bool leaves_history(const Entry& entry) {
  return !entry.versions.empty() || entry.kind == Kind::directory || entry.move.has_value();
}

}  // namespace

EntryPtr DirectoryEdit::find_any(std::string_view name) const {
  const auto changed = changes_.find(name);
  return changed != changes_.end() ? changed->second : under_.find_any(name);
}

EntryPtr DirectoryEdit::find(std::string_view name) const { return live(find_any(name)); }

std::vector<std::pair<std::string, EntryPtr>> DirectoryEdit::list() const {
  auto listed = list_any();
  std::erase_if(listed, [](const auto& named) { return !is_live(named.second); });
  return listed;
}

std::vector<std::pair<std::string, EntryPtr>> DirectoryEdit::list_any() const {
  std::vector<std::pair<std::string, EntryPtr>> listed;
  listed.reserve(under_.entries.size() + changes_.size());
  const auto add = [&](const auto& named) {
    if (named.second) listed.emplace_back(named);
  };
  auto changed = changes_.begin();
  for (const auto& named : under_.entries) {
    for (; changed != changes_.end() && changed->first < named.first; ++changed) add(*changed);
    const bool overridden = changed != changes_.end() && changed->first == named.first;
    add(overridden ? *changed++ : named);
  }
  for (; changed != changes_.end(); ++changed) add(*changed);
  return listed;
}

const Attributes& DirectoryEdit::attributes() const { return attributes_ ? *attributes_ : under_.attributes; }

bool DirectoryEdit::removed() const { return removed_.value_or(under_.removed); }

bool DirectoryEdit::has_live_entries() const {
  const auto untouched_and_live = [this](const auto& named) {
    return is_live(named.second) && !changes_.contains(named.first);
  };
  return std::any_of(changes_.begin(), changes_.end(), [](const auto& named) { return is_live(named.second); }) ||
         std::any_of(under_.entries.begin(), under_.entries.end(), untouched_and_live);
}

bool DirectoryEdit::has_marks() const {
  const auto marked = [](const auto& named) { return named.second && named.second->move; };
  return std::any_of(changes_.begin(), changes_.end(), marked) ||
         std::any_of(under_.entries.begin(), under_.entries.end(),
                     [&](const auto& named) { return marked(named) && !changes_.contains(named.first); });
}

void DirectoryEdit::put(const std::string& name, Entry entry) {
  const EntryPtr before = find_any(name);
  if (before && before->move && before->id == entry.id && !entry.move) entry.move = before->move;
  if (before && before->move && before->id != entry.id) {
    Entry carrier = *before;
    if (!carrier.deleted) carrier.deleted = std::max(entry.attributes.ctime, attributes().mtime);
    const std::string aside = name_beside(name, "moved", carrier.id);
    assign(aside, std::move(carrier));
  }
  assign(name, std::move(entry));
}

bool DirectoryEdit::may_go_on(const Entry& before, const Entry& taker) const {
  constexpr uint32_t kOthersRead = 0004;
  constexpr uint32_t kGroupReads = 0040;
  // A directory's attributes are its own; what had the name before it is then its parent's owner's to read.
  const Attributes& was = before.kind == Kind::directory ? attributes() : before.attributes;
  const Attributes& is = taker.kind == Kind::directory ? attributes() : taker.attributes;
  if (is.uid != was.uid && is.uid != 0) return false;
  if (before.kind != Kind::file || taker.kind != Kind::file) return true;  // the owner's alone meanwhile
  const bool same_group = is.gid == was.gid || (is.mode & kGroupReads) == 0;
  return same_group && (is.mode & (kOthersRead | kGroupReads) & ~was.mode) == 0;
}

EntryPtr DirectoryEdit::history_for(const std::string& name, const Entry& taker, Nanos now) {
  EntryPtr before = find_any(name);
  if (!before || before->versions.empty() || may_go_on(*before, taker)) return before;
  if (before->move) return nullptr;  // put() will set it aside, mark and all
  Entry aside = *before;
  if (!aside.deleted) aside.deleted = now;
  std::optional<Leaving>().swap(aside.leaving);
  assign(name_beside(name, "before", aside.id), std::move(aside));
  return nullptr;
}

void DirectoryEdit::remove(const std::string& name, Nanos now) {
  const EntryPtr entry = find(name);
  if (!entry) return;
  if (!leaves_history(*entry)) return erase(name);
  Entry tombstone = *entry;
  tombstone.deleted = now;
  std::optional<Leaving>().swap(tombstone.leaving);
  assign(name, std::move(tombstone));
}

void DirectoryEdit::forget(const std::string& name) {
  const EntryPtr entry = find_any(name);
  if (!entry || !entry->move) return erase(name);
  remove(name, attributes().mtime);
}

EntryPtr DirectoryEdit::take(const std::string& name) {
  EntryPtr entry = find_any(name);
  erase(name);
  return entry;
}

void DirectoryEdit::unmark(const std::string& name) {
  const EntryPtr entry = find_any(name);
  if (!entry) return;
  Entry cleared = *entry;
  std::optional<Move>().swap(cleared.move);  // g++ 12 at -O3 takes reset() for the end of a Move that is not there
  if (cleared.deleted && !leaves_history(cleared)) return erase(name);
  assign(name, std::move(cleared));
}

void DirectoryEdit::put_visibly(const std::string& name, const Entry& entry, size_t keep_versions) {
  if (find(name)) return put(name_beside(name, "exchanged", entry.id), entry);
  const EntryPtr before = history_for(name, entry, entry.attributes.ctime);
  put(name, before && !before->versions.empty() ? entry.over(*before, keep_versions) : entry);
}

void DirectoryEdit::leave_trace(const std::string& name, const Entry& gone, Nanos now) {
  if (!gone.leaving) return;
  const auto listed = list_any();
  const auto earlier = std::find_if(listed.begin(), listed.end(), [&](const auto& named) {
    return named.second->id == gone.id && named.second->deleted && named.second->leaving;
  });
  if (earlier == listed.end() && !gone.leaving->called_off) return;
  Entry trace;
  trace.id = gone.id;
  trace.kind = gone.kind;
  trace.deleted = now;
  trace.leaving = gone.leaving;
  assign(earlier != listed.end() ? earlier->first : name_beside(name, "left", gone.id), std::move(trace));
}

uint64_t DirectoryEdit::weight_under(const std::string& name) const {
  const EntryPtr there = find_any(name);
  return there ? weight_bytes(name, *there) : 0;
}

Result<void> DirectoryEdit::check_room(const std::string& name, const Entry& entry) const {
  const uint64_t before = weight_under(name);
  const uint64_t after = weight_bytes(name, entry);
  if (after <= before || weight_ - before + after <= most_weight_) return {};
  return fail_posix(ENOSPC,
                    "'{}': its directory would take more than {} of memory to be read: remove something from it, or "
                    "give the mount more `memory`",
                    name, human_bytes(most_weight_));
}

void DirectoryEdit::assign(const std::string& name, Entry entry) {
  weight_ += weight_bytes(name, entry) - weight_under(name);
  changes_.insert_or_assign(name, std::make_shared<const Entry>(std::move(entry)));
}

void DirectoryEdit::erase(const std::string& name) {
  weight_ -= weight_under(name);
  if (under_.entries.contains(name)) {
    changes_.insert_or_assign(name, nullptr);
  } else {
    changes_.erase(name);  // came and went within this edit: no record need mention it
  }
}

std::string DirectoryEdit::name_beside(const std::string& name, std::string_view why, EntryId id) const {
  std::string suffix = fmt::format(".~{}-{:016x}", why, id);
  for (unsigned number = 2;; ++number) {
    std::string beside = name;
    while (!is_valid_name(beside + suffix) && !beside.empty()) beside.pop_back();
    beside += suffix;
    if (!find_any(beside)) return beside;
    suffix = fmt::format(".~{}-{:016x}-{}", why, id, number);
  }
}

void DirectoryEdit::set_attributes(Attributes attributes) { attributes_ = std::move(attributes); }

void DirectoryEdit::touch(Nanos now) {
  Attributes touched = attributes();
  touched.mtime = now;
  touched.ctime = now;
  set_attributes(std::move(touched));
}

void DirectoryEdit::set_removed(bool removed) { removed_ = removed; }

bool DirectoryEdit::empty() const { return changes_.empty() && !attributes_ && !removed_; }

void DirectoryEdit::apply_to(DirectoryState& state) const {
  state.apply(changes_);
  if (attributes_) state.attributes = *attributes_;
  if (removed_) state.removed = *removed_;
}

}  // namespace cairn
