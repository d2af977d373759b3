// Starting, ending, and what a filesystem tells of itself.
#include "base/log.h"
#include "base/posix_error.h"
#include "fs/store_file_system.h"
#include "store/directories/path_lookup.h"

namespace cairn {

namespace {

// A store has no size of its own: room for whatever a program asks for before it writes.
constexpr uint64_t kNominalBytes = 1ULL << 50;

void keep_first(Result<void>& first, Result<void> result) {
  if (first && !result) first = std::move(result);
}

}  // namespace

Result<std::unique_ptr<StoreFileSystem>> StoreFileSystem::open(StoreEnvironment& environment, ChunkReader& reader,
                                                               ChunkWriter& writer, const RequestContext& context) {
  auto names = std::make_unique<Namespace>(environment);
  auto root = names->open(kRootId, context);
  if (!root) return fail(root.error().in("the root directory"));
  auto files = std::make_unique<StoreFileSystem>(environment, reader, writer, std::move(names), *root);
  if (auto recovered = files->recover(context); !recovered) return fail(std::move(recovered).error());
  return files;
}

StoreFileSystem::StoreFileSystem(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer,
                                 std::unique_ptr<Namespace> names, const std::shared_ptr<Directory>& root)
    : environment_(environment),
      sources_{environment, reader, writer},
      names_(std::move(names)),
      nodes_(root),
      reach_(environment.clock),
      publisher_(sources_, nodes_, entries_) {}

StoreFileSystem::~StoreFileSystem() { publisher_.stop(); }

Result<void> StoreFileSystem::recover(const RequestContext& context) {
  if (environment_.options.read_only) return {};
  auto drafts = recover_drafts(environment_, sources_.reader, sources_.writer, context);
  if (!drafts) return fail(std::move(drafts).error());
  for (RecoveredDraft& recovered : *drafts) {
    if (auto adopted = adopt(std::move(recovered), context); !adopted) {
      log::error("a draft stays kept for the next start: {}", adopted.error().to_string());
    }
  }
  return {};
}

Result<void> StoreFileSystem::adopt(RecoveredDraft recovered, const RequestContext& context) {
  auto identity = KeptIdentity::from_json(recovered.identity);
  if (!identity) return fail(std::move(identity).error());
  auto directory = names_->open(identity->directory, context);
  if (!directory) return fail(directory.error().in(identity->path));
  const FoundEntry found = find_entry(**directory, identity->name, identity->file.id);
  const EntryPtr entry = found.entry ? found.entry : std::make_shared<const Entry>(identity->file);
  const DirectoryNodePtr parent = nodes_.hold_directory(*directory, {});
  const FileNodePtr node = nodes_.hold_file({parent, found.name}, entry);
  std::shared_ptr<Draft> draft = std::move(recovered.draft);
  nodes_.open(*node, [&](const VersionPtr& version) {
    return std::make_shared<FileBytes>(sources_, version, draft, identity->mtime);
  });
  nodes_.release(node->id);
  nodes_.release(parent->id);
  publisher_.adopt(node, *identity);
  return {};
}

Result<FileSystemStatfs> StoreFileSystem::statfs(const RequestContext& /*context*/) {
  if (space_source_) return space_source_();
  return FileSystemStatfs{.total_bytes = kNominalBytes, .free_bytes = kNominalBytes};
}

void StoreFileSystem::set_space_source(SpaceSource source) { space_source_ = std::move(source); }

void StoreFileSystem::set_page_sink(NodePageSink sink) { page_sink_ = std::move(sink); }

Result<Entry> StoreFileSystem::entry_at(const std::string& path, const RequestContext& context) {
  const OpenDirectory open = [&](EntryId id) -> Result<std::shared_ptr<Directory>> {
    auto directory = names_->open(id, context);
    if (!directory) return directory;
    if (auto fresh = freshen(**directory, context); !fresh) return fail(std::move(fresh).error());
    return directory;
  };
  return find_entry(open, path);
}

Result<void> StoreFileSystem::shut_down(const RequestContext& context) {
  publisher_.stop();
  Result<void> first;
  for (const FileNodePtr& node : nodes_.with_unpublished_bytes()) {
    keep_first(first, publisher_.publish(node, nodes_.view(*node).bytes->last_session(), context));
  }
  keep_first(first, names_->stop(context));
  return first;
}

FileSystemStats StoreFileSystem::stats() const {
  const NodeTable::Counts counts = nodes_.counts();
  return {.nodes = counts.nodes,
          .open_handles = files_.size() + listings_.size(),
          .open_drafts = counts.drafts,
          .kept_drafts = publisher_.kept().size(),
          .pending_directories = names_->pending_directories(),
          .read_bytes = read_bytes_,
          .written_bytes = written_bytes_,
          .outage = reach_.outage()};
}

std::vector<UnpublishedFile> StoreFileSystem::unpublished() const { return publisher_.kept(); }

}  // namespace cairn
