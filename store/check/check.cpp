#include "store/check/check.h"

#include <algorithm>

#include "store/check/check_tree.h"
#include "store/format/keys.h"
#include "store/format/store_format.h"

namespace cairn {

namespace {

// A directory that moves while the tree is walked can be met twice, or never; real damage is found by each walk. Chunks
// do not move, and a wrong one was read twice already.
constexpr int kMostWalks = 5;

bool has_finding(const CheckReport& report, const CheckFinding& wanted) {
  return std::any_of(report.findings.begin(), report.findings.end(), [&](const CheckFinding& finding) {
    return finding.object == wanted.object && finding.path == wanted.path && finding.message == wanted.message;
  });
}

// Chunks come last: they are durable before the record that leads to them, so none that the walk has met can be
// missing from a listing that starts later.
Result<CheckReport> check_once(ObjectStore& objects, const CheckOptions& options, const RequestContext& context) {
  const auto format = open_store_format(objects, context);
  if (!format) return fail(format.error());
  Executor workers("check", kCheckHelpers);
  CheckLedger ledger(options);
  ChunkCheck chunks(objects, workers, ledger, context);
  TreeCheck tree(objects, *format, workers, ledger, chunks, context);
  tree.walk();
  if (!ledger.stopped()) tree.find_duplicates();
  if (!ledger.stopped()) tree.find_orphans();
  if (!ledger.stopped()) chunks.run(options.read_data);
  return ledger.finish();
}

}  // namespace

Result<CheckReport> check_store(ObjectStore& objects, const CheckOptions& options, const RequestContext& context) {
  auto report = check_once(objects, options, context);
  CheckOptions tree_only = options;
  tree_only.read_data = false;
  for (int walk = 1; walk < kMostWalks && report && !report->clean(); ++walk) {
    const auto again = check_once(objects, tree_only, context);
    if (!again) return fail(again.error());
    std::erase_if(report->findings, [&](const CheckFinding& finding) {
      return !finding.object.starts_with(keys::kChunks) && !has_finding(*again, finding);
    });
  }
  return report;
}

}  // namespace cairn
