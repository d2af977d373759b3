#include <utility>

#include "base/log.h"
#include "store/drafts/draft.h"
#include "store/drafts/draft_description.h"

namespace cairn {

// Opens kept staging files again.
class DraftRecovery {
 public:
  DraftRecovery(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer)
      : environment_(environment), reader_(reader), writer_(writer) {}

  Result<RecoveredDraft> recover(KeptStagingFile kept, const RequestContext& context) {
    auto description = parse_draft(kept.description, environment_.format.chunk_size);
    if (!description) return fail(std::move(description).error());
    std::shared_ptr<FileReader> base;
    if (description->base) {
      auto opened = FileReader::open(environment_, reader_, description->base, context);
      if (!opened) return fail(opened.error().in("the version under the kept draft " + description->identity));
      base = std::move(*opened);
    }
    std::unique_ptr<Draft> draft(new Draft(environment_, reader_, writer_, std::move(kept.file), std::move(base),
                                           std::move(description->layout)));
    draft->changed(0, 0);
    return RecoveredDraft{std::move(description->identity), std::move(draft)};
  }

 private:
  StoreEnvironment& environment_;
  ChunkReader& reader_;
  ChunkWriter& writer_;
};

Result<std::vector<RecoveredDraft>> recover_drafts(StoreEnvironment& environment, ChunkReader& reader,
                                                   ChunkWriter& writer, const RequestContext& context) {
  auto kept = environment.staging.take_kept();
  if (!kept) return fail(std::move(kept).error());
  DraftRecovery recovery(environment, reader, writer);
  std::vector<RecoveredDraft> drafts;
  for (KeptStagingFile& file : *kept) {
    auto draft = recovery.recover(std::move(file), context);
    if (draft) {
      drafts.push_back(std::move(*draft));
    } else {
      log::error("a kept draft stays where it is: {}", draft.error().to_string());
    }
  }
  return drafts;
}

}  // namespace cairn
