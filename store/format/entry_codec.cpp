#include "store/format/entry_codec.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "store/format/envelope.h"
#include "store/format/format.pb.h"
#include "store/format/manifest_codec.h"
#include "store/format/messages.h"

namespace cairn {

namespace {

constexpr uint32_t kModeBits = 07777;
// Far above any keep_versions; it bounds what a hostile record can make of few bytes by naming one run many times.
constexpr size_t kMaxVersions = 65536;

format::Kind proto_kind(Kind kind) {
  switch (kind) {
    case Kind::file: return format::KIND_FILE;
    case Kind::directory: return format::KIND_DIRECTORY;
    case Kind::symlink: return format::KIND_SYMLINK;
    case Kind::fifo: return format::KIND_FIFO;
    case Kind::socket: return format::KIND_SOCKET;
  }
  check_failed("a Kind has a number in the format");
}

std::optional<Kind> kind_of(format::Kind kind) {
  switch (kind) {
    case format::KIND_FILE: return Kind::file;
    case format::KIND_DIRECTORY: return Kind::directory;
    case format::KIND_SYMLINK: return Kind::symlink;
    case format::KIND_FIFO: return Kind::fifo;
    case format::KIND_SOCKET: return Kind::socket;
    default: return std::nullopt;
  }
}

void write_content(const Content& content, uint32_t chunk_size, format::Version* proto) {
  if (const auto* inline_bytes = std::get_if<SharedBuffer>(&content)) {
    if (!*inline_bytes || (*inline_bytes)->empty()) return;
    proto->mutable_content()->set_inline_bytes(std::string(as_text((*inline_bytes)->view())));
  } else if (const auto* manifest = std::get_if<ManifestPtr>(&content)) {
    *proto->mutable_content()->mutable_chunks() = write_manifest(**manifest, chunk_size);
  } else {
    proto->mutable_content()->set_manifest(std::string(as_text(std::get<Digest>(content).bytes)));
  }
}

void write_version(const Version& version, uint32_t chunk_size, format::Version* proto) {
  proto->set_published_ns(version.published);
  proto->set_mtime_ns(version.mtime);
  proto->set_size(version.size_bytes);
  proto->set_host(version.host);
  proto->set_session(version.session);
  proto->set_chunks_new(version.chunks_new);
  proto->set_chunks_shared(version.chunks_shared);
  proto->set_stored_bytes(version.stored_bytes);
  proto->set_hole_bytes(version.hole_bytes);
  write_content(version.content, chunk_size, proto);
}

Result<Content> read_chunk_list(const format::Manifest& proto, uint64_t size_bytes, uint32_t chunk_size) {
  auto manifest = read_manifest(proto, chunk_size);
  if (!manifest) return fail(std::move(manifest).error());
  if (manifest->size_bytes() != size_bytes) {
    return fail(Errc::corrupt, "a version of {} bytes lists chunks for {}", size_bytes, manifest->size_bytes());
  }
  return std::make_shared<const Manifest>(std::move(*manifest));
}

Result<Content> read_content(const format::Version& proto, uint32_t chunk_size) {
  const format::Content& content = proto.content();
  if (content.kind_case() == format::Content::kChunks) {
    return read_chunk_list(content.chunks(), proto.size(), chunk_size);
  }
  if (content.kind_case() == format::Content::kManifest) {
    Digest id;
    if (content.manifest().size() != id.bytes.size()) return fail(Errc::corrupt, "a manifest id that is no SHA-256");
    std::memcpy(id.bytes.data(), content.manifest().data(), id.bytes.size());
    return id;
  }
  const ByteView bytes = as_bytes(content.inline_bytes());
  if (bytes.size() != proto.size()) {
    return fail(Errc::corrupt, "a version of {} bytes holds {}", proto.size(), bytes.size());
  }
  return std::make_shared<const Buffer>(Buffer::copy_of(bytes));
}

Result<VersionPtr> read_version(const format::Version& proto, uint32_t chunk_size) {
  auto content = read_content(proto, chunk_size);
  if (!content) return fail(std::move(content).error());
  if (proto.hole_bytes() > proto.size()) {
    return fail(Errc::corrupt, "a version of {} bytes with {} bytes of holes", proto.size(), proto.hole_bytes());
  }
  Version version;
  version.content = std::move(*content);
  version.size_bytes = proto.size();
  version.hole_bytes = proto.hole_bytes();
  version.chunks_new = proto.chunks_new();
  version.chunks_shared = proto.chunks_shared();
  version.stored_bytes = proto.stored_bytes();
  version.published = proto.published_ns();
  version.mtime = proto.mtime_ns();
  version.host = proto.host();
  version.session = proto.session();
  return std::make_shared<const Version>(std::move(version));
}

// Writes the front of `versions` that is known as runs; how many that were.
size_t write_reused(const std::vector<VersionPtr>& versions, KnownVersions& known, format::Entry* proto) {
  format::HistoryRun* run = nullptr;
  for (size_t i = 0; i < versions.size(); ++i) {
    const auto place = known.take(versions[i]);
    if (!place) return i;
    const bool goes_on = run != nullptr && run->name() == *place->name && run->last() + 1 == place->number;
    if (!goes_on) {
      run = proto->add_reused();
      run->set_name(*place->name);
      run->set_first(place->number);
    }
    run->set_last(place->number);
  }
  return versions.size();
}

Result<void> take_over(const format::HistoryRun& run, TakenOver* taken_over, std::vector<VersionPtr>& versions) {
  if (taken_over == nullptr) return fail(Errc::corrupt, "a snapshot refers to versions outside itself");
  const auto& entries = taken_over->before.entries;
  const auto found = entries.find(run.name());
  if (found == entries.end()) return fail(Errc::corrupt, "versions of '{}', which is not there", run.name());
  const Entry& entry = *found->second;
  if (run.first() > run.last() || !entry.version(run.first()) || !entry.version(run.last())) {
    return fail(Errc::corrupt, "versions {} to {} of '{}', which lists {} from {}", run.first(), run.last(), run.name(),
                entry.versions.size(), entry.first_version);
  }
  const uint64_t count = run.last() - run.first() + 1;
  if (count > kMaxVersions - versions.size()) return fail(Errc::corrupt, "more than {} versions", kMaxVersions);
  if (count > taken_over->most_versions) return fail(Errc::corrupt, "versions that are taken over more than once");
  taken_over->most_versions -= count;
  const auto begin = entry.versions.begin() + static_cast<ptrdiff_t>(run.first() - entry.first_version);
  versions.insert(versions.end(), begin, begin + static_cast<ptrdiff_t>(count));
  return {};
}

Result<std::vector<VersionPtr>> read_versions(const format::Entry& proto, TakenOver* taken_over, uint32_t chunk_size) {
  std::vector<VersionPtr> versions;
  for (const format::HistoryRun& run : proto.reused()) {
    if (auto taken = take_over(run, taken_over, versions); !taken) return fail(std::move(taken).error());
  }
  for (const format::Version& own : proto.versions()) {
    auto version = read_version(own, chunk_size);
    if (!version) return fail(std::move(version).error());
    versions.push_back(std::move(*version));
  }
  if (versions.size() > kMaxVersions) return fail(Errc::corrupt, "more than {} versions", kMaxVersions);
  return versions;
}

Result<Move> read_move(const format::Move& proto, uint32_t chunk_size) {
  if (proto.directory() == 0 || !is_valid_name(proto.name())) return fail(Errc::corrupt, "a move from nowhere");
  Move move{.directory = proto.directory(), .name = proto.name(), .replacement = nullptr, .attempt = proto.attempt()};
  if (!proto.has_replacement()) return move;
  if (proto.replacement().has_move()) return fail(Errc::corrupt, "a move within a move");
  auto replacement = read_entry(proto.replacement(), nullptr, chunk_size);
  if (!replacement) return fail(std::move(replacement).error());
  move.replacement = std::make_shared<const Entry>(std::move(*replacement));
  return move;
}

// What a kind may have: attributes (all but directories), a target (symlinks). Any may carry versions.
Result<void> check_shape(const format::Entry& proto, Kind kind) {
  const bool fits =
      proto.has_attributes() == (kind != Kind::directory) && (kind == Kind::symlink || proto.target().empty());
  if (!fits) return fail(Errc::corrupt, "fields that its kind does not have, or lacks");
  if (proto.id() == 0) return fail(Errc::corrupt, "no id");
  if (proto.first_version() == 0 || proto.first_version() > std::numeric_limits<uint64_t>::max() / 2) {
    return fail(Errc::corrupt, "a history that starts at version {}", proto.first_version());
  }
  return {};
}

}  // namespace

KnownVersions::KnownVersions(const DirectoryChanges& changes, const DirectoryState& before) {
  for (const auto& [name, changed] : changes) {
    const auto found = before.entries.find(name);
    if (found == before.entries.end()) continue;
    const Entry& entry = *found->second;
    for (size_t i = 0; i < entry.versions.size(); ++i) {
      listed_.try_emplace(entry.versions[i].get(), Listed{&found->first, entry.first_version + i});
    }
  }
}

std::optional<KnownVersions::Listed> KnownVersions::take(const VersionPtr& version) {
  const auto found = listed_.extract(version.get());
  if (!found) return std::nullopt;
  return found.mapped();
}

void write_attributes(const Attributes& attributes, format::Attributes* proto) {
  proto->set_mode(attributes.mode & kModeBits);
  proto->set_uid(attributes.uid);
  proto->set_gid(attributes.gid);
  proto->set_mtime_ns(attributes.mtime);
  proto->set_ctime_ns(attributes.ctime);
  for (const auto& [name, value] : attributes.xattrs) {
    format::Xattr* xattr = proto->add_xattrs();
    xattr->set_name(name);
    xattr->set_value(value);
  }
}

Result<Attributes> read_attributes(const format::Attributes& proto) {
  if (proto.mode() > kModeBits) return fail(Errc::corrupt, "mode {:o}", proto.mode());
  Attributes attributes{.mode = proto.mode(),
                        .uid = proto.uid(),
                        .gid = proto.gid(),
                        .mtime = proto.mtime_ns(),
                        .ctime = proto.ctime_ns(),
                        .xattrs = {}};
  for (const format::Xattr& xattr : proto.xattrs()) {
    const bool sorted = attributes.xattrs.empty() || attributes.xattrs.rbegin()->first < xattr.name();
    if (!sorted) return fail(Errc::corrupt, "extended attributes out of order");
    attributes.xattrs.emplace_hint(attributes.xattrs.end(), xattr.name(), xattr.value());
  }
  return attributes;
}

void write_entry(const Entry& entry, KnownVersions& known, uint32_t chunk_size, format::Entry* proto) {
  proto->set_id(entry.id);
  proto->set_kind(proto_kind(entry.kind));
  if (entry.kind != Kind::directory) write_attributes(entry.attributes, proto->mutable_attributes());
  proto->set_target(entry.target);
  proto->set_first_version(entry.first_version);
  for (size_t i = write_reused(entry.versions, known, proto); i < entry.versions.size(); ++i) {
    write_version(*entry.versions[i], chunk_size, proto->add_versions());
  }
  // 0 says "not deleted": a deletion at the epoch itself is moved by a nanosecond.
  if (entry.deleted) proto->set_deleted_ns(*entry.deleted == 0 ? 1 : *entry.deleted);
  if (entry.leaving) {
    proto->mutable_leaving()->set_attempt(entry.leaving->attempt);
    proto->mutable_leaving()->set_directory(entry.leaving->directory);
    proto->mutable_leaving()->set_called_off(entry.leaving->called_off);
  }
  if (!entry.move) return;
  format::Move* move = proto->mutable_move();
  move->set_directory(entry.move->directory);
  move->set_name(entry.move->name);
  move->set_attempt(entry.move->attempt);
  if (entry.move->replacement) {
    KnownVersions none;
    write_entry(*entry.move->replacement, none, chunk_size, move->mutable_replacement());
  }
}

Result<Entry> read_entry(const format::Entry& proto, TakenOver* taken_over, uint32_t chunk_size) {
  const auto kind = kind_of(proto.kind());
  if (!kind) return fail(Errc::corrupt, "kind {}", static_cast<int>(proto.kind()));
  if (auto shape = check_shape(proto, *kind); !shape) return fail(std::move(shape).error());
  auto attributes = read_attributes(proto.attributes());
  if (!attributes) return fail(std::move(attributes).error());
  auto versions = read_versions(proto, taken_over, chunk_size);
  if (!versions) return fail(std::move(versions).error());

  Entry entry;
  entry.id = proto.id();
  entry.kind = *kind;
  entry.attributes = std::move(*attributes);
  entry.target = proto.target();
  entry.first_version = proto.first_version();
  entry.versions = std::move(*versions);
  if (proto.deleted_ns() != 0) entry.deleted = proto.deleted_ns();
  if (proto.has_leaving()) {
    const format::Leaving& leaving = proto.leaving();
    const bool is_under_way = leaving.attempt() != 0;
    if (is_under_way != (leaving.directory() != 0)) return fail(Errc::corrupt, "a move to nowhere");
    if (!is_under_way && !leaving.called_off()) return fail(Errc::corrupt, "a move that nobody makes");
    entry.leaving =
        Leaving{.attempt = leaving.attempt(), .directory = leaving.directory(), .called_off = leaving.called_off()};
  }
  if (proto.has_move()) {
    auto move = read_move(proto.move(), chunk_size);
    if (!move) return fail(std::move(move).error());
    entry.move = std::move(*move);
  }
  return entry;
}

// The version as the only one of an entry: the codec of records then does the rest.
std::string serialize_version(const VersionPtr& version, uint32_t chunk_size) {
  Entry entry;
  entry.id = kRootId;  // any will do
  entry.versions = {version};
  format::Entry proto;
  KnownVersions none;
  write_entry(entry, none, chunk_size, &proto);
  return proto.SerializeAsString();
}

Result<VersionPtr> parse_version(ByteView bytes, uint32_t chunk_size) {
  ParsedMessage<format::Entry> parsed(kMaxMessageBytes);
  const auto proto = parsed.parse(bytes, "version");
  if (!proto) return fail(proto.error());
  auto entry = read_entry(**proto, nullptr, chunk_size);
  if (!entry) return fail(std::move(entry).error());
  if (!entry->current()) return fail(Errc::corrupt, "an entry without a version");
  return entry->current();
}

}  // namespace cairn
