#include "store/check.h"

#include "store/check_tree.h"
#include "store/store_format.h"

namespace cairn {

// Chunks come last: they are durable before the record that leads to them, so none of those that the walk has met can
// be missing from a listing that starts later.
Result<CheckReport> check_store(ObjectStore& objects, const CheckOptions& options, const RequestContext& context) {
  const auto format = open_store_format(objects, context);
  if (!format) return fail(format.error());
  CheckLedger ledger(options);
  ChunkCheck chunks(objects, ledger, context);
  TreeCheck tree(objects, *format, ledger, chunks, context);
  tree.walk();
  if (!ledger.stopped()) tree.find_duplicates();
  if (!ledger.stopped()) tree.find_orphans();
  if (!ledger.stopped()) chunks.run(options.read_data);
  return ledger.finish();
}

}  // namespace cairn
