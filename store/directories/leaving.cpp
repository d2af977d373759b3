#include "store/directories/leaving.h"

#include "store/directories/entry_edits.h"

namespace cairn {

Mutation announce(const std::string& name, EntryId id, uint64_t attempt, EntryId towards) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const EntryPtr entry = edit.find(name);
    if (!entry || entry->id != id) return fail(Errc::conflict, "'{}' is another entry by now", name);
    Entry announced = *entry;
    announced.leaving = Leaving{.attempt = attempt, .directory = towards, .called_off = entry->leaving.has_value()};
    edit.put(name, std::move(announced));
    return {};
  };
}

Mutation call_off(const std::string& name, EntryId id, uint64_t attempt, bool never_arrives) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const FoundEntry found = find_entry(edit, name, id);
    if (!found.entry || !is_leaving(*found.entry, attempt)) return {};
    Entry staying = without_notice(*found.entry);
    if (!never_arrives || found.entry->leaving->called_off) {
      staying.leaving = Leaving{.attempt = 0, .directory = 0, .called_off = true};
    }
    edit.put(found.name, std::move(staying));
    return {};
  };
}

bool is_leaving(const Entry& entry, uint64_t attempt) { return entry.leaving && entry.leaving->attempt == attempt; }

bool has_left_otherwise(const Directory& source, EntryId id, uint64_t attempt) {
  const auto trace_of_another = [&](const Entry& entry) {
    return entry.id == id && entry.deleted && entry.leaving && entry.leaving->attempt != attempt;
  };
  return source.find_committed_if(trace_of_another).second != nullptr;
}

Entry without_notice(Entry entry) {
  std::optional<Leaving>().swap(entry.leaving);
  return entry;
}

Standing find_standing(const Directory& directory, const std::string& name, EntryId id) {
  if (EntryPtr entry = live(directory.find_committed(name)); entry && entry->id == id) return {name, std::move(entry)};
  auto [other_name, entry] =
      directory.find_committed_if([id](const Entry& other) { return other.id == id && !other.deleted; });
  return {std::move(other_name), std::move(entry)};
}

}  // namespace cairn
