#include "store/drafts/kept_draft.h"

#include <utility>

#include "base/log.h"
#include "store/drafts/draft.h"

namespace cairn {

namespace {

Result<KeptDraft> described(KeptStagingFile file, uint32_t chunk_size) {
  auto description = parse_draft(file.description, chunk_size);
  if (!description) return fail(std::move(description).error());
  if (!file.is_kept) DraftJournal::replay(file.log, description->layout);
  if (description->layout.base_limit() > (description->base ? description->base->size_bytes : 0)) {
    return fail(Errc::corrupt, "its log speaks of more bytes than the version under it has");
  }
  file.file->belongs_to(description->user);
  return KeptDraft{file.number, file.is_kept, std::move(*description), std::move(file.file)};
}

}  // namespace

bool KeptDraft::needs_base() const {
  const DraftLayout& layout = description.layout;
  return description.base && layout.has_any(DraftLayout::Source::base, 0, layout.size_bytes());
}

bool KeptDraft::needs_store() const { return needs_base() || description.layout.sent_bytes() > 0; }

Result<std::vector<KeptDraft>> take_kept_drafts(StagingArea& staging, uint32_t chunk_size) {
  auto files = staging.take_kept();
  if (!files) return fail(std::move(files).error());
  std::vector<KeptDraft> drafts;
  for (KeptStagingFile& file : *files) {
    const uint64_t number = file.number;
    auto draft = described(std::move(file), chunk_size);
    if (draft) {
      drafts.push_back(std::move(*draft));
    } else {
      log::error("kept draft {} stays where it is: {}", number, draft.error().to_string());
    }
  }
  return drafts;
}

Result<std::unique_ptr<Draft>> open_kept_draft(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer,
                                               KeptDraft& kept, const RequestContext& context) {
  std::shared_ptr<FileReader> base;
  if (kept.needs_base()) {
    auto opened = FileReader::open(environment, reader, kept.description.base, context);
    if (!opened) return fail(opened.error().in("the version under the kept draft"));
    base = std::move(*opened);
  }
  DraftLayout layout = kept.description.layout;
  if (!base && layout.base_limit() > 0) layout = DraftLayout(layout.size_bytes(), 0, layout.extents());
  std::unique_ptr<Draft> draft(
      new Draft(environment, reader, writer, std::move(kept.staging), std::move(base), std::move(layout), true));
  draft->changed(0, 0);
  return draft;
}

}  // namespace cairn
