#include "store/check/check.h"

#include <algorithm>

#include "base/units.h"
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

// A clean report is believed to be about everything, unless it says what it is not about.
std::vector<std::string> not_looked_at(const CheckReport& report, const CheckOptions& options, bool tree_complete) {
  std::vector<std::string> what;
  if (!options.read_data && report.chunks > 0) {
    what.push_back(fmt::format("the bytes of {} ({}): only that each is there, in an object of a possible size",
                               human_count(report.chunks, "chunk"), human_bytes(report.chunk_bytes)));
  }
  if (report.unreferenced_chunks > 0) {
    what.push_back(fmt::format("the bytes of {} of no version", human_count(report.unreferenced_chunks, "chunk")));
  }
  if (!tree_complete) what.emplace_back("what lies below directories that cannot be read, and whether others are lost");
  what.emplace_back(
      "records older than each directory's last snapshot, chunk lists of no version, load profiles, "
      "foreign objects");
  return what;
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
  auto report = ledger.finish();
  if (report) report->not_looked_at = not_looked_at(*report, options, tree.is_complete());
  return report;
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
