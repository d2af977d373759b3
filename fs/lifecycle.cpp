// Starting, ending, and what a filesystem tells of itself.
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "base/posix_error.h"
#include "base/units.h"
#include "fs/kept_identity.h"
#include "fs/store_file_system.h"
#include "store/directories/path_lookup.h"
#include "store/drafts/export_draft.h"

namespace cairn {

namespace {

// A store has no size of its own: room for whatever a program asks for before it writes.
constexpr uint64_t kNominalBytes = 1ULL << 50;
// How long a mount may take to publish what an earlier process has closed.
constexpr std::chrono::seconds kMostOfAStart{5};

// Of the closes that have returned and wait for their turn.
QueueStats queue_stats(const CloseQueue::Counts& counts, const std::vector<KeptFile>& kept) {
  QueueStats stats{.closes = counts.closes, .bytes = counts.bytes};
  if (counts.error) stats.error = counts.error->to_string();
  for (const KeptFile& file : kept) {
    if (file.state != KeptState::queued) continue;
    const Nanos since = file.identity.kept;
    stats.oldest = stats.oldest == 0 ? since : std::min(stats.oldest, since);
  }
  return stats;
}

// What nobody has asked for by then was not worth closing.
constexpr std::chrono::nanoseconds kNeverClosedAge = std::chrono::days(30);
// By then somebody may have looked: until then it goes for no room that others need.
constexpr std::chrono::nanoseconds kNeverClosedUnseenAge = std::chrono::days(1);

bool give_up(const KeptDraft& draft, const std::string& why) {
  const auto identity = KeptIdentity::from_json(draft.description.identity);
  log::warning("'{}' ({}) was never closed, and is given up: {}", identity ? identity->path : "?",
               human_bytes(draft.description.layout.size_bytes()), why);
  draft.staging->release();
  return true;
}

// Crashes must not fill the disk with what no close ever asked to be kept: the oldest go.
void give_up_never_closed(std::vector<KeptDraft>& drafts, StoreEnvironment& environment) {
  const StagingRoom& room = environment.staging.room();
  const Nanos now = environment.clock.wall_now();
  std::erase_if(drafts, [&](const KeptDraft& draft) {
    if (draft.is_kept || draft.description.store_id != environment.format.store_id) return false;
    const auto identity = KeptIdentity::from_json(draft.description.identity);
    const std::chrono::nanoseconds age(identity ? now - identity->mtime : 0);
    if (age > kNeverClosedAge) return give_up(draft, "30 days have passed");
    const bool is_in_the_way = room.limit_bytes() != 0 && room.used().kept > room.limit_bytes() / 2;
    if (!is_in_the_way || age <= kNeverClosedUnseenAge) return false;
    return give_up(draft, "the drafts of earlier processes take more than half of staging-size");
  });
}

void keep_first(Result<void>& first, Result<void> result) {
  if (first && !result) first = std::move(result);
}

}  // namespace

Result<std::unique_ptr<StoreFileSystem>> StoreFileSystem::open(StoreEnvironment& environment, ChunkReader& reader,
                                                               ChunkWriter& writer, const RequestContext& context,
                                                               PublishOpenRules publish_open) {
  auto names = std::make_unique<Namespace>(environment);
  auto root = names->open(kRootId, context);
  if (!root) return fail(root.error().in("the root directory"));
  auto files =
      std::make_unique<StoreFileSystem>(environment, reader, writer, std::move(names), *root, std::move(publish_open));
  if (auto recovered = files->recover(context); !recovered) return fail(std::move(recovered).error());
  return files;
}

StoreFileSystem::StoreFileSystem(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer,
                                 std::unique_ptr<Namespace> names, const std::shared_ptr<Directory>& root,
                                 PublishOpenRules publish_open)
    : environment_(environment),
      sources_{environment, reader, writer},
      names_(std::move(names)),
      living_(environment.clock),
      nodes_(root),
      open_shares_("open files", environment.options.most_open, ::geteuid()),
      writer_shares_("files open for writing", environment.options.most_writers, ::geteuid()),
      reach_(environment.clock),
      publisher_(
          sources_, nodes_, entries_,
          [this](EntryId id, const RequestContext& context) { return names_->open(id, context); },
          [this](NodeId node) { tell_change(node, 0); }),
      periodic_(environment, nodes_, publisher_, std::move(publish_open)),
      siblings_(environment, reader) {}

StoreFileSystem::~StoreFileSystem() {
  siblings_.stop();
  periodic_.stop();
  publisher_.stop();
}

Result<void> StoreFileSystem::recover(const RequestContext& context) {
  if (environment_.options.read_only) return {};
  auto drafts = take_kept_drafts(environment_.staging, environment_.format.chunk_size);
  if (!drafts) return fail(std::move(drafts).error());
  give_up_never_closed(*drafts, environment_);
  publisher_.adopt(std::move(*drafts), context);
  // What a close has returned for is there again when the mount answers, if the store is quick.
  if (publisher_.queued().closes == 0) return {};
  const auto drained = publisher_.drain(context.no_longer_than(kMostOfAStart));
  if (!drained) log::warning("{}", drained.error().to_string());
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

Result<void> StoreFileSystem::sync_all(const RequestContext& context) {
  Result<void> first = publisher_.drain(context);
  keep_first(first, names_->flush(context));
  keep_first(first, publisher_.tell_all());
  return first;
}

Result<void> StoreFileSystem::shut_down(const RequestContext& context) {
  siblings_.stop();
  periodic_.stop();
  Result<void> first;
  if (environment_.options.commit_async) {
    for (const FileNodePtr& node : nodes_.with_unpublished_bytes()) {
      const auto bytes = nodes_.view(*node).bytes;
      if (bytes && !bytes->frozen()) keep_first(first, publisher_.publish(node, bytes->last_session(), context));
    }
  }
  keep_first(first, publisher_.drain(context));
  publisher_.stop();
  keep_first(first, publisher_.publish_waiting(context));
  for (const FileNodePtr& node : nodes_.with_unpublished_bytes()) {
    const auto bytes = nodes_.view(*node).bytes;
    if (bytes->frozen()) continue;
    keep_first(first, publisher_.publish(node, bytes->last_session(), context));
  }
  keep_first(first, names_->stop(context));
  return first;
}

FileSystemStats StoreFileSystem::stats() const {
  const NodeTable::Counts counts = nodes_.counts();
  const std::vector<KeptFile> kept = publisher_.kept();
  const auto is_of_a_close = [](const KeptFile& file) {
    return file.state == KeptState::waiting || file.state == KeptState::undecided;
  };
  return {.nodes = counts.nodes,
          .open_handles = files_.size() + listings_.size(),
          .open_drafts = counts.drafts,
          .kept_drafts = static_cast<uint64_t>(std::ranges::count_if(kept, is_of_a_close)),
          .publish_open = periodic_.rules(),
          .published_while_open = periodic_.published(),
          .pending_directories = names_->pending_directories(),
          .queue = queue_stats(publisher_.queued(), kept),
          .read_bytes = read_bytes_,
          .written_bytes = written_bytes_,
          .native_reads = {no_backings_, native_opens_},
          .outage = reach_.outage()};
}

std::vector<UnpublishedFile> StoreFileSystem::unpublished() const {
  std::vector<UnpublishedFile> files;
  for (const KeptFile& kept : publisher_.kept()) {
    files.push_back({kept.identity.path, kept.size_bytes, kept.error, kept.number, std::string(to_string(kept.state)),
                     kept.identity.kept != 0 ? kept.identity.kept : kept.identity.mtime,
                     kept.state == KeptState::queued});
  }
  return files;
}

Result<void> StoreFileSystem::publish_kept(uint64_t number, const RequestContext& context) {
  if (environment_.options.read_only) return fail(Errc::read_only, "mounted read-only");
  return publisher_.publish_kept(number, context);
}

Result<void> StoreFileSystem::discard_kept(uint64_t number) { return publisher_.discard_kept(number); }

Result<void> StoreFileSystem::export_kept(uint64_t number, const std::string& path, const RequestContext& context) {
  auto draft = publisher_.open_kept(number, context);
  if (!draft) return fail(std::move(draft).error());
  return export_draft((*draft)->bytes(), path, context);
}

}  // namespace cairn
