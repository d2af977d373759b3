#include "store/directories/entry_edits.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/posix_error.h"

namespace cairn {

namespace {

FoundEntry find_among(const Directory::Names& names, const std::string& name, EntryId id) {
  const auto found = std::ranges::find_if(names, [id](const auto& named) { return named.second->id == id; });
  return found == names.end() ? FoundEntry{name, nullptr} : FoundEntry{found->first, found->second};
}

Result<void> check_not_removed(const DirectoryEdit& edit) {
  if (edit.removed()) return fail_posix(ENOENT, "the directory was removed");
  return {};
}

// `entry` for a name that is free, after the history that was left there.
Entry after_tombstone(DirectoryEdit& edit, const std::string& name, const Entry& entry, size_t keep_versions) {
  const EntryPtr before = edit.history_for(name, entry, entry.attributes.ctime);
  return before ? entry.over(*before, keep_versions) : entry;
}

void date_current_version(Entry& entry) {
  const VersionPtr current = entry.current();
  if (!current || current->mtime == entry.attributes.mtime) return;
  Version dated = *current;
  dated.mtime = entry.attributes.mtime;
  entry.versions.back() = std::make_shared<const Version>(std::move(dated));
}

Result<void> put_version(DirectoryEdit& edit, const std::string& name, Entry entry, const VersionPtr& version,
                         size_t keep_versions) {
  entry.attributes.mtime = version->mtime;
  entry.attributes.ctime = version->published;
  Entry changed = entry.with_version(version, keep_versions);
  if (auto room = edit.check_room(name, changed); !room) return room;
  edit.put(name, std::move(changed));
  return {};
}

// A file that the name has not had so far, with its first version.
Result<void> put_anew(DirectoryEdit& edit, const std::string& name, Entry file, const VersionPtr& version,
                      size_t keep_versions) {
  file.attributes.mtime = version->mtime;
  file.attributes.ctime = version->published;
  const Entry published = file.with_version(version, keep_versions);
  if (auto room = edit.check_room(name, published); !room) return room;
  edit.put(name, after_tombstone(edit, name, published, keep_versions));
  edit.touch(version->published);
  return {};
}

// The version goes among those that are history already: the last of all, but for the one that is still current.
Result<void> put_behind(DirectoryEdit& edit, const std::string& name, const Entry& there, const VersionPtr& version,
                        size_t keep_versions) {
  const bool has_current = !there.deleted && !there.versions.empty();
  if (has_current && keep_versions < 2) return fail_posix(ENOSPC, "'{}' keeps no history", name);
  Entry changed = there;
  changed.versions.insert(changed.versions.end() - (has_current ? 1 : 0), version);
  changed.trim(keep_versions);
  if (auto room = edit.check_room(name, changed); !room) return room;
  edit.put(name, std::move(changed));
  return {};
}

bool lists(const Entry& there, const VersionStamp& stamp) {
  return std::ranges::any_of(there.versions, [&](const VersionPtr& listed) { return stamp_of(*listed) == stamp; });
}

// A later publication of one open file replaces its last earlier one, wherever in the history that is. False: there is
// none.
bool put_in_place(DirectoryEdit& edit, const std::string& name, const Entry& there, const VersionPtr& version) {
  const auto same = std::find_if(there.versions.rbegin(), there.versions.rend(), [&](const VersionPtr& listed) {
    return listed->session != 0 && listed->session == version->session;
  });
  if (same == there.versions.rend()) return false;
  if ((*same)->published >= version->published) return true;
  Entry changed = there;
  changed.versions[static_cast<size_t>(there.versions.rend() - same - 1)] = version;
  edit.put(name, std::move(changed));
  return true;
}

Result<void> put_late(DirectoryEdit& edit, const std::string& name, const Entry& there, const LateVersion& late,
                      size_t keep_versions) {
  if (lists(there, stamp_of(*late.version))) return {};
  if (!there.deleted && there.attributes.uid != late.file.attributes.uid) {
    return fail_posix(EPERM, "'{}' is another owner's file by now", name);
  }
  if (!there.deleted && late.was_written_on(there.current())) {
    return put_version(edit, name, there, late.version, keep_versions);
  }
  if (put_in_place(edit, name, there, late.version)) return {};
  return put_behind(edit, name, there, late.version, keep_versions);
}

}  // namespace

VersionStamp stamp_of(const Version& version) { return {version.published, version.session}; }

bool LateVersion::was_written_on(const VersionPtr& current) const {
  if (!current) return !base;
  const VersionStamp stamp = stamp_of(*current);
  return base == stamp || std::ranges::find(own, stamp) != own.end();
}

FoundEntry find_entry(const DirectoryEdit& edit, const std::string& name, EntryId id) {
  if (EntryPtr entry = edit.find(name); entry && entry->id == id) return {name, std::move(entry)};
  return find_among(edit.list(), name, id);
}

FoundEntry find_entry(const Directory& directory, const std::string& name, EntryId id) {
  if (EntryPtr entry = directory.find(name); entry && entry->id == id) return {name, std::move(entry)};
  return find_among(*directory.list(), name, id);
}

Mutation create_entry(const std::string& name, const Entry& entry, uint64_t session, bool exclusive,
                      size_t keep_versions) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    if (auto here = check_not_removed(edit); !here) return here;
    if (edit.find(name)) {
      if (exclusive) return fail(Errc::already_exists, "'{}' exists", name);
      return {};
    }
    if (auto room = edit.check_room(name, entry); !room) return room;
    Entry created = entry;
    const EntryPtr before = edit.history_for(name, created, entry.attributes.ctime);
    const bool goes_on = before && !before->versions.empty();
    if (goes_on && entry.kind == Kind::file) created.versions.push_back(empty_version(entry.attributes, session));
    edit.put(name, after_tombstone(edit, name, created, keep_versions));
    edit.touch(entry.attributes.ctime);
    return {};
  };
}

Mutation remove_entry(const std::string& name, EntryId id, Nanos now) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const EntryPtr entry = edit.find(name);
    if (!entry || entry->id != id) return {};
    edit.remove(name, now);
    edit.touch(now);
    return {};
  };
}

Mutation change_entry(const std::string& name, EntryId id, const AttributeChange& change) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const FoundEntry found = find_entry(edit, name, id);
    if (!found.entry) return fail(Errc::not_found, "'{}' is no longer here", name);
    Entry changed = *found.entry;
    if (auto done = change(changed.attributes); !done) return done;
    date_current_version(changed);
    if (auto room = edit.check_room(found.name, changed); !room) return room;
    edit.put(found.name, std::move(changed));
    return {};
  };
}

Mutation change_directory(const AttributeChange& change) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    if (auto here = check_not_removed(edit); !here) return here;
    Attributes changed = edit.attributes();
    if (auto done = change(changed); !done) return done;
    edit.set_attributes(std::move(changed));
    return {};
  };
}

Mutation publish_version(const std::string& name, const Entry& file, const VersionPtr& version, EntryId lost_id,
                         size_t keep_versions) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    if (auto here = check_not_removed(edit); !here) return here;
    const FoundEntry found = find_entry(edit, name, file.id);
    if (found.entry) {
      return put_version(edit, found.name, *found.entry, version, keep_versions);
    }
    const EntryPtr there = edit.find_any(name);
    if (there && there->deleted && there->id == file.id) return {};
    if (there && !there->deleted) {
      if (there->kind != Kind::file) return fail_posix(EEXIST, "'{}' is no file any more", name);
      if (there->attributes.uid != file.attributes.uid) {
        return fail_posix(EEXIST, "'{}' is another owner's file by now", name);
      }
      Entry ours = *there;
      ours.attributes.mode = file.attributes.mode;
      ours.attributes.gid = file.attributes.gid;
      return put_version(edit, name, std::move(ours), version, keep_versions);
    }
    Entry again = file;
    again.id = lost_id;
    return put_anew(edit, name, std::move(again), version, keep_versions);
  };
}

Mutation publish_late(const LateVersion& late, size_t keep_versions) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    if (auto here = check_not_removed(edit); !here) return here;
    const FoundEntry found = find_entry(edit, late.name, late.file.id);
    if (found.entry) return put_late(edit, found.name, *found.entry, late, keep_versions);
    const EntryPtr there = edit.find_any(late.name);
    if (there && !there->deleted) {
      const bool is_replaced = there->id == late.replaces && there->attributes.uid == late.file.attributes.uid;
      if (!is_replaced) return fail_posix(EEXIST, "'{}' is another entry by now", late.name);
      if (auto room = edit.check_room(late.name, late.file.with_version(late.version, keep_versions)); !room)
        return room;
      edit.remove(late.name, late.version->published);
    }
    if (there && there->id == late.file.id) return put_late(edit, late.name, *there, late, keep_versions);
    if (late.base || late.was_listed) {
      return fail_posix(ENOENT, "'{}' is gone without a trace: moved, deleted or forgotten", late.name);
    }
    return put_anew(edit, late.name, late.file, late.version, keep_versions);
  };
}

}  // namespace cairn
