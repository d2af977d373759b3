// The commands as a person meets them: what they print, where, and how they end.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/version.h"
#include "cli/mounts.h"
#include "daemon/control.h"
#include "daemon/local_paths.h"
#include "tests/support/test_environment.h"
#include "tests/unit/cli/cli_runner.h"

namespace cairn {
namespace {

using testing::Test;

TEST(CommandLine, version_is_printed) {
  const Outcome outcome = run_cairnfs({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, std::string("cairnfs ") + kVersion + "\n");
}

TEST(CommandLine, help_lists_every_command_on_stdout) {
  const Outcome outcome = run_cairnfs({"--help"});
  EXPECT_EQ(outcome.code, 0);
  for (const char* command : {"init", "mount", "umount", "status", "log", "prefetch", "check"}) {
    EXPECT_NE(outcome.out.find(std::string("\n  ") + command), std::string::npos) << command;
  }
}

TEST(CommandLine, bad_usage_is_exit_code_2_and_points_to_the_help) {
  const std::vector<std::vector<std::string>> bad = {{},
                                                     {"fly"},
                                                     {"init"},
                                                     {"init", "dir:/a", "dir:/b"},
                                                     {"mount", "dir:/a"},
                                                     {"mount", "dir:/a", "/b", "--cache-sizee", "1"},
                                                     {"init", "dir:/a", "--chunk-size", "big"},
                                                     {"umount", "/a", "--timeout", "5"},
                                                     {"prefetch"},
                                                     {"check"}};
  for (const std::vector<std::string>& args : bad) {
    const Outcome outcome = run_cairnfs(args);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_TRUE(outcome.err.starts_with("cairnfs: ")) << outcome.err;
    EXPECT_NE(outcome.err.find("--help`"), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
}

TEST(CommandLine, bad_values_are_explained_with_the_flag_that_has_them) {
  const Outcome outcome = run_cairnfs({"init", "dir:/a", "--chunk-size", "big"});
  EXPECT_NE(outcome.err.find("cairnfs: init: "), std::string::npos);
  EXPECT_NE(outcome.err.find("'big' is no size"), std::string::npos) << outcome.err;
}

class OfflineCommands : public Test {
 protected:
  Outcome run(const std::vector<std::string>& args) { return run_cairnfs(args, {.directory = home_.path()}); }

  TemporaryDirectory home_;
  const std::string url_ = "dir:" + (home_.path() / "store").string();
};

TEST_F(OfflineCommands, init_makes_a_store_once) {
  const Outcome first = run({"init", url_, "--chunk-size", "1MiB", "--keep-versions", "8", "--keep-deleted", "7d"});
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_NE(first.out.find(url_), std::string::npos);
  EXPECT_NE(first.out.find("1.0 MiB"), std::string::npos) << first.out;
  const Outcome second = run({"init", url_});
  EXPECT_EQ(second.code, 1);
  EXPECT_NE(second.err.find("cairnfs: init: "), std::string::npos);
}

TEST_F(OfflineCommands, init_refuses_chunk_sizes_that_the_format_has_not) {
  for (const char* size : {"1000", "8MiB", "8GiB", "3MiB"}) {
    const Outcome outcome = run({"init", url_, "--chunk-size", size});
    EXPECT_EQ(outcome.code, 2) << size << outcome.err;
  }
}

TEST_F(OfflineCommands, a_url_that_is_none_says_what_urls_look_like) {
  const Outcome outcome = run({"init", "/srv/models"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("dir:/srv/models"), std::string::npos) << outcome.err;
}

TEST_F(OfflineCommands, a_new_store_is_clean) {
  ASSERT_EQ(run({"init", url_}).code, 0);
  const Outcome outcome = run({"check", url_, "--read-data"});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_TRUE(outcome.out.ends_with(": clean\n")) << outcome.out;
  const Json report = Json::parse(run({"check", "--json", url_}).out);
  EXPECT_TRUE(report.at("clean"));
  EXPECT_EQ(report.at("directories"), 1);
}

TEST_F(OfflineCommands, check_tells_damage_from_a_store_that_cannot_be_looked_at) {
  const Outcome missing = run({"check", url_});
  EXPECT_EQ(missing.code, kExitUnchecked);
  EXPECT_NE(missing.err.find("cairnfs: check: "), std::string::npos);

  ASSERT_EQ(run({"init", url_}).code, 0);
  for (const auto& file : std::filesystem::recursive_directory_iterator(home_.path() / "store/dirs")) {
    if (!file.is_regular_file()) continue;
    std::filesystem::permissions(file.path(), std::filesystem::perms::owner_all);
    std::filesystem::resize_file(file.path(), std::filesystem::file_size(file.path()) - 1);
  }
  const Outcome damaged = run({"check", url_});
  EXPECT_EQ(damaged.code, kExitFindings) << damaged.out << damaged.err;
  EXPECT_NE(damaged.out.find("dirs/"), std::string::npos) << damaged.out;
  EXPECT_FALSE(Json::parse(run({"check", "--json", url_}).out).at("clean"));
}

TEST_F(OfflineCommands, log_of_what_was_never_there_says_so) {
  ASSERT_EQ(run({"init", url_}).code, 0);
  const Outcome outcome = run({"log", "--store", url_, "a/b"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("/a/b: the store has never had a 'a' there"), std::string::npos) << outcome.err;
  EXPECT_EQ(run({"log", "--store", url_, "/"}).code, 2) << "the root is a directory";
}

TEST_F(OfflineCommands, paths_outside_every_mount_are_refused) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"log", "x"}, {"prefetch", "x"}, {"umount", "x"}, {"status", "x"}}) {
    const Outcome outcome = run(args);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.err, "cairnfs: " + args[0] + ": x is in no CairnFS mount: `cairnfs status` lists them\n");
  }
}

TEST_F(OfflineCommands, status_without_mounts_says_that_there_are_none) {
  const Outcome outcome = run({"status"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "No CairnFS mounts on this host.\n");
  EXPECT_EQ(Json::parse(run({"status", "--json"}).out), (Json{{"mounts", Json::array()}}));
}

TEST_F(OfflineCommands, mount_explains_what_is_wrong_before_it_starts_anything) {
  const std::string mountpoint = home_.path() / "mnt";
  std::filesystem::create_directory(mountpoint);
  const Outcome no_store = run({"mount", url_, mountpoint});
  EXPECT_EQ(no_store.code, 1);
  EXPECT_NE(no_store.err.find("cairnfs init"), std::string::npos) << no_store.err;

  const Outcome no_directory = run({"mount", url_, mountpoint + "/none"});
  EXPECT_NE(no_directory.err.find("mkdir"), std::string::npos) << no_directory.err;

  const Outcome bad_scheme = run({"mount", "gopher:x", mountpoint});
  EXPECT_EQ(bad_scheme.code, 1);
  EXPECT_NE(bad_scheme.err.find("dir:"), std::string::npos) << bad_scheme.err;

  ASSERT_EQ(run({"init", url_}).code, 0);
  const Outcome bad_memory = run({"mount", url_, mountpoint, "--memory", "1KiB"});
  EXPECT_EQ(bad_memory.code, 2);
  EXPECT_EQ(bad_memory.err, "cairnfs: mount: --memory: '1KiB' is too little: at least 64MiB\n");

  std::ofstream(home_.path() / "c.toml") << "[cache]\nsizee = '1GiB'\n";
  const Outcome bad_file = run({"mount", url_, mountpoint, "--config", home_.path() / "c.toml"});
  EXPECT_EQ(bad_file.code, 2);
  EXPECT_NE(bad_file.err.find("c.toml:2: there is no setting 'cache.sizee'; did you mean 'cache.size'?"),
            std::string::npos)
      << bad_file.err;

  std::ofstream(home_.path() / "file") << "";
  const Outcome bad_cache = run({"mount", url_, mountpoint, "--cache-dir", home_.path() / "file/x"});
  EXPECT_NE(bad_cache.err.find("--cache-dir"), std::string::npos) << bad_cache.err;
}

// A mount as the commands see it: a line in the table of mounts and a daemon at its socket.
class MountedCommands : public Test {
 protected:
  MountedCommands() {
    std::filesystem::create_directory(mountpoint_);
    std::ofstream(home_ / "mountinfo") << "40 22 0:52 / " << mountpoint_ << " rw - fuse.cairnfs dir:/srv/a rw\n";
    world_.directory = mountpoint_;
    world_.mountinfo = home_ / "mountinfo";
    world_.environment["CAIRNFS_RUNTIME_DIR"] = home_ / "run";
    socket_ = control_socket_path(HostEnvironment{.variables = world_.environment}, mountpoint_);
  }
  void serve(ControlServer::Handler handler) {
    auto server = ControlServer::open(socket_, std::move(handler));
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
  }
  void answer_with(const Json& answer) {
    serve([this, answer](const Json& request, const ProgressFunction&, const std::stop_token&) -> Result<Json> {
      request_ = request;
      return answer;
    });
  }
  Outcome run(const std::vector<std::string>& args) { return run_cairnfs(args, world_); }

  TemporaryDirectory directory_;
  const std::filesystem::path home_ = std::filesystem::canonical(directory_.path());
  const std::string mountpoint_ = home_ / "mnt";
  TestWorld world_;
  std::string socket_;
  Json request_;
  std::unique_ptr<ControlServer> server_;
};

const Json kStatus = {{"store", "dir:/srv/a"},
                      {"mountpoint", "/mnt/a"},
                      {"pid", 4711},
                      {"version", kVersion},
                      {"uptime_seconds", 7500},
                      {"log_file", "/c/cairnfs.log"},
                      {"cache", {{"used_bytes", 1 << 20}, {"capacity_bytes", 1 << 30}, {"hits", 3}, {"misses", 1}}},
                      {"requests", {{"get", {{"demand", {{"requests", 1200}, {"bytes", 4096}, {"errors", 2}}}}}}},
                      {"endpoint", {{"window", 8}, {"waiting", 5}, {"retries", 3}, {"hedges", 1}}},
                      {"unpublished", {{{"path", "/run/x"}, {"size", 5}, {"error", "the store is full"}}}},
                      {"recent_errors", {{{"time_ns", 0}, {"text", "chunk 3f2a is damaged"}}}}};

TEST_F(MountedCommands, status_shows_what_the_daemon_answers) {
  answer_with(kStatus);
  const Outcome outcome = run({"status", mountpoint_});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part : {"dir:/srv/a on /mnt/a", "pid 4711", "up 2h 5m", "1.0 MiB of 1.0 GiB, 75% hits",
                           "1,200 demand (4.0 KiB, 0.0 ms each, 2 errors)",
                           "at most 8 requests at once, 5 waiting, 3 retried, 1 sent twice because slow",
                           "UNPUBLISHED /run/x (5 B): the store is full", "chunk 3f2a is damaged", "/c/cairnfs.log"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << " is not in\n" << outcome.out;
  }
  EXPECT_EQ(Json::parse(run({"status", "--json", "."}).out), kStatus);
  EXPECT_EQ(Json::parse(run({"status", "--json"}).out).at("mounts"), Json::array({kStatus}));
}

TEST_F(MountedCommands, a_mount_whose_daemon_is_gone_is_shown_and_explained) {
  const Outcome one = run({"status", mountpoint_});
  EXPECT_EQ(one.code, 1);
  EXPECT_NE(one.err.find("`cairnfs umount " + mountpoint_ + "` clears the mountpoint"), std::string::npos) << one.err;
  const Outcome all = run({"status"});
  EXPECT_EQ(all.code, 1);
  EXPECT_NE(all.out.find("dir:/srv/a on " + mountpoint_), std::string::npos) << all.out;
}

TEST_F(MountedCommands, a_daemon_without_a_mount_is_shown_as_detached) {
  answer_with(kStatus);
  std::ofstream(world_.mountinfo) << "";
  const Outcome outcome = run({"status"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.out.find("unmounted, but its files are still open"), std::string::npos) << outcome.out;
}

TEST_F(MountedCommands, log_asks_for_the_path_in_the_mount_and_prints_a_line_for_each_version) {
  answer_with({{"path", "/d/f"},
               {"deleted_ns", nullptr},
               {"versions",
                {{{"number", 1},
                  {"published_ns", 0},
                  {"mtime_ns", 0},
                  {"size", 9},
                  {"chunks_new", 1},
                  {"chunks_shared", 2},
                  {"sent_bytes", 5},
                  {"host", "trainer-7"}}}}});
  const Outcome outcome = run({"log", "d/f"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(request_, (Json{{"op", "log"}, {"path", "d/f"}}));
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 2);
  EXPECT_TRUE(outcome.out.starts_with("VERSION")) << outcome.out;
  EXPECT_NE(outcome.out.find("\n1 "), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("trainer-7"), std::string::npos);
}

TEST_F(MountedCommands, prefetch_tells_what_was_here_already_and_fails_if_a_file_did) {
  Json answer = {{"files", 3},
                 {"bytes", 20'000'000},
                 {"present_bytes", 1024},
                 {"fetched_bytes", 19'998'976},
                 {"failed", Json::array()},
                 {"cache_capacity_bytes", 1ULL << 40}};
  serve([&](const Json& request, const ProgressFunction& progress, const std::stop_token&) -> Result<Json> {
    request_ = request;
    progress({{"files", 3}, {"files_done", 1}, {"bytes", 20'000'000}, {"bytes_done", 5}});
    return answer;
  });
  const Outcome good = run({"prefetch", "d", "e"});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_EQ(request_.at("paths"), (Json{"d", "e"}));
  EXPECT_NE(good.out.find("3 files, 19 MiB: 1.0 KiB was here already, 19 MiB brought"), std::string::npos) << good.out;

  answer["failed"] = Json::array({{{"path", "/d/bad"}, {"error", "chunk 3f2a is missing"}}});
  answer["cache_capacity_bytes"] = 1024;
  const Outcome bad = run({"prefetch", "d"});
  EXPECT_EQ(bad.code, 1);
  EXPECT_NE(bad.err.find("/d/bad: chunk 3f2a is missing"), std::string::npos) << bad.err;
  EXPECT_NE(bad.err.find("the cache holds 1.0 KiB only"), std::string::npos) << bad.err;
}

TEST_F(MountedCommands, errors_of_the_daemon_are_passed_on_with_the_path_as_typed) {
  serve([](const Json&, const ProgressFunction&, const std::stop_token&) -> Result<Json> {
    return fail(Errc::deadline_exceeded, "the store does not answer");
  });
  const Outcome outcome = run({"log", "d/f"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "cairnfs: log: d/f: the store does not answer\n");
}

TEST_F(MountedCommands, umount_of_a_path_inside_names_the_mountpoint) {
  const Outcome outcome = run({"umount", "d"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("d is inside a mount: `cairnfs umount " + mountpoint_ + "`"), std::string::npos)
      << outcome.err;
}

}  // namespace
}  // namespace cairn
