#include "store/check/check.h"

#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "remote/open.h"
#include "remote/remote_stack.h"

namespace cairn {

namespace {

// A whole store may take days to read; each operation's patience is the retry policy's.
constexpr std::chrono::hours kTimeout{24 * 365};

constexpr uint64_t kLeastMemory = 64U << 20;

constexpr const char* kHelp =
    "Reads the store and checks every rule of docs/format.md: each version refers to chunks that are there and whole, "
    "each directory's records follow each other. Changes nothing, and may run beside mounts that write.\n\n"
    "What it has not looked at it says: without --read-data, the bytes of chunks.\n\n"
    "Exit codes: 0 clean; 1 something is wrong, and listed; 2 bad usage; 3 the store could not be looked at.\n\n"
    "Examples:\n"
    "  cairnfs check dir:/srv/models\n"
    "  cairnfs check dir:/srv/models --read-data     every byte, too\n";

struct CheckCommand {
  std::string url;
  bool read_data = false;
  bool json = false;
  std::string memory = "1GiB";
  uint64_t memory_bytes = 0;  // what that says
};

nlohmann::json to_json(const CheckReport& report) {
  nlohmann::json findings = nlohmann::json::array();
  for (const CheckFinding& finding : report.findings) {
    findings.push_back(
        {{"loss", finding.loss}, {"object", finding.object}, {"path", finding.path}, {"message", finding.message}});
  }
  return {{"clean", report.clean()},
          {"directories", report.directories},
          {"records", report.records},
          {"files", report.files},
          {"versions", report.versions},
          {"manifests", report.manifests},
          {"chunks", report.chunks},
          {"chunk_bytes", report.chunk_bytes},
          {"unreferenced_chunks", report.unreferenced_chunks},
          {"unreferenced_bytes", report.unreferenced_bytes},
          {"not_looked_at", report.not_looked_at},
          {"findings", findings}};
}

std::string rooted(const std::string& path) { return path.empty() || path.starts_with('/') ? path : "/" + path; }

void print(const CheckReport& report, const std::string& store, std::ostream& out) {
  for (const CheckFinding& finding : report.findings) {
    out << fmt::format("{} {} {}: {}\n", finding.loss ? "LOSS  " : "untidy", printable(rooted(finding.path)),
                       printable(finding.object), printable(finding.message));
  }
  out << fmt::format("{} with {}, {} with {}, {}, {} ({})\n", human_count(report.directories, "directory"),
                     human_count(report.records, "record"), human_count(report.files, "file"),
                     human_count(report.versions, "version"), human_count(report.manifests, "manifest"),
                     human_count(report.chunks, "chunk"), human_bytes(report.chunk_bytes));
  if (report.unreferenced_chunks > 0) {
    out << fmt::format("{} ({}) of no version: what interrupted saves left, harmless\n",
                       human_count(report.unreferenced_chunks, "chunk"), human_bytes(report.unreferenced_bytes));
  }
  for (const std::string& what : report.not_looked_at) out << "not looked at: " << what << "\n";
  out << store << (report.clean() ? ": clean\n" : ": " + human_count(report.findings.size(), "finding") + "\n");
}

Result<CheckReport> examine(ObjectStore& objects, const CheckCommand& command, const Streams& streams) {
  Progress progress(streams, "check");
  CheckOptions options;
  options.memory_bytes = command.memory_bytes;
  options.read_data = command.read_data;
  options.progress = [&progress](const CheckProgress& now) {
    progress.show(now.objects_done, now.objects_total,
                  fmt::format("{} of {} objects, {}", human_count(now.objects_done), human_count(now.objects_total),
                              human_bytes(now.bytes_done)));
  };
  return check_store(objects, options, RequestContext::within(kTimeout, Cause::maintenance));
}

Result<int> run_check(CheckCommand command, const Streams& streams) {
  const auto memory = parse_size(command.memory);
  if (!memory) return fail(memory.error().in("--memory"));
  if (*memory < kLeastMemory) return fail(Errc::invalid_argument, "--memory: {} at least", human_bytes(kLeastMemory));
  command.memory_bytes = *memory;
  KernelRandom random;
  Result<std::unique_ptr<ObjectStore>> bare = open_object_store(command.url, {.read_only = true});
  if (!bare && bare.error().code() == Errc::invalid_argument) return fail(bare.error());
  std::optional<RemoteStack> remote;
  if (bare) remote.emplace(std::move(*bare), RemoteStack::Options{}, system_clock(), random);
  const Result<CheckReport> report =
      bare ? examine(remote->objects(), command, streams) : Result<CheckReport>(fail(bare.error()));
  if (!report) {
    streams.err << "cairnfs: check: " << report.error().message() << "\n";
    return kExitUnchecked;
  }
  if (command.json) {
    streams.out << to_json(*report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  } else {
    print(*report, remote->objects().describe(), streams.out);
  }
  return report->clean() ? 0 : kExitFindings;
}

}  // namespace

void add_check(CLI::App& app, const Streams& streams, Action& chosen) {
  CLI::App* command = app.add_subcommand("check", "Verify a store");
  const auto options = std::make_shared<CheckCommand>();
  command->add_option("store", options->url, "Which: dir:PATH or s3://BUCKET/PREFIX")->required()->type_name("STORE");
  command->add_flag("--read-data", options->read_data, "Fetch, decode and verify every chunk");
  command
      ->add_option("--memory", options->memory,
                   "Most memory for directories, chunk lists and what is remembered of the store; a directory or list "
                   "may take a quarter")
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print the report as JSON");
  command->footer(kHelp);
  command->callback([=, &streams, &chosen] { chosen = [=, &streams] { return run_check(*options, streams); }; });
}

}  // namespace cairn
