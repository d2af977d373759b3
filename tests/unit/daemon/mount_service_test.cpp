// What a mount's daemon answers, over the real wiring but without a kernel.
#include "daemon/mount_service.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/random.h"
#include "remote/open.h"
#include "store/directories/path_lookup.h"
#include "tests/support/gate.h"
#include "tests/support/test_environment.h"
#include "tests/unit/cli/cli_runner.h"

namespace cairn {
namespace {

class MountServiceTest : public testing::Test {
 protected:
  MountServiceTest() {
    EXPECT_EQ(run_cairnfs({"init", url_, "--chunk-size", "64KiB"}).code, 0);
    mount();
  }

  void mount(const std::string& cache = "64MiB") {
    service_.reset();
    store_.reset();
    Settings settings;
    EXPECT_TRUE(assign(settings, *find_setting("cache.size"), cache));
    const std::string cache_dir = home_.path() / "cache";
    std::filesystem::create_directories(cache_dir);
    auto opened = open_store(cache_dir, settings);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = std::move(*opened);
    service_ = std::make_unique<MountService>(*store_, MountService::About{url_, "/mnt", cache_dir, ""});
  }

  Result<std::unique_ptr<MountedStore>> open_store(const std::string& cache_dir, const Settings& settings) {
    auto bare = open_object_store(url_, {});
    if (!bare) return fail(bare.error());
    auto remote = std::make_unique<RemoteStack>(std::move(*bare), RemoteStack::Options{}, system_clock(), random_);
    auto format = open_store_format(remote->objects(), test_context());
    if (!format) return fail(format.error());
    return MountedStore::open({std::move(remote), std::move(*format), cache_dir, settings});
  }

  // As a process does it: create, write, close.
  void write_file(NodeId parent, const std::string& name, const Buffer& bytes) {
    FileSystem& files = store_->file_system();
    auto made = files.create(parent, name, 0644, O_WRONLY, {}, test_context());
    ASSERT_TRUE(made) << made.error().message();
    const HandleId handle = made->second.handle;
    ASSERT_TRUE(files.write(handle, 0, bytes.view(), test_context()));
    ASSERT_TRUE(files.flush(handle, test_context()));
    files.release(handle);
  }
  NodeId make_directory(const std::string& name) {
    auto made = store_->file_system().make_directory(kRootNode, name, 0755, {}, test_context());
    EXPECT_TRUE(made) << made.error().message();
    return made->node;
  }

  Result<Json> ask(const Json& request) {
    return service_->handle(request, [](const Json&) {}, {});
  }

  TemporaryDirectory home_;
  const std::string url_ = "dir:" + (home_.path() / "store").string();
  KernelRandom random_;
  std::unique_ptr<MountedStore> store_;
  std::unique_ptr<MountService> service_;
};

TEST_F(MountServiceTest, status_counts_what_was_published) {
  write_file(kRootNode, "f", random_bytes(200'000, 1));
  const Result<Json> status = ask({{"op", "status"}});
  ASSERT_TRUE(status) << status.error().message();
  EXPECT_EQ(status->at("store"), url_);
  EXPECT_EQ(status->at("mountpoint"), "/mnt");
  EXPECT_EQ(status->at("pid"), ::getpid());
  EXPECT_EQ(status->at("writes").at("written_bytes"), 200'000);
  EXPECT_EQ(status->at("writes").at("versions_published"), 1);
  EXPECT_GE(status->at("writes").at("sent_bytes"), 200'000);
  EXPECT_EQ(status->at("unpublished"), Json::array());
  EXPECT_TRUE(status->at("requests").contains("put_if_absent")) << status->at("requests");
  EXPECT_EQ(status->at("endpoint").at("retries"), 0);
  EXPECT_GE(status->at("endpoint").at("window"), 1);
}

TEST_F(MountServiceTest, log_lists_versions_oldest_first_and_finds_deleted_names) {
  const NodeId directory = make_directory("d");
  write_file(directory, "f", random_bytes(10, 1));
  write_file(directory, "f", random_bytes(200'000, 2));
  Result<Json> history = ask({{"op", "log"}, {"path", "d/f"}});
  ASSERT_TRUE(history) << history.error().message();
  ASSERT_EQ(history->at("versions").size(), 2U);
  EXPECT_EQ(history->at("versions")[0].at("number"), 1);
  EXPECT_EQ(history->at("versions")[1].at("size"), 200'000);
  EXPECT_TRUE(history->at("deleted_ns").is_null());

  ASSERT_TRUE(store_->file_system().remove_file(directory, "f", test_context()));
  ASSERT_TRUE(store_->file_system().sync_directory(directory, test_context()));
  history = ask({{"op", "log"}, {"path", "d/f"}});
  ASSERT_TRUE(history) << history.error().message();
  EXPECT_EQ(history->at("versions").size(), 2U);
  EXPECT_FALSE(history->at("deleted_ns").is_null());

  const Outcome offline = run_cairnfs({"log", "--json", "--store", url_, "/d/f"});
  EXPECT_EQ(Json::parse(offline.out), *history) << offline.err;
}

TEST_F(MountServiceTest, prefetch_brings_everything_below_a_directory_and_the_second_time_nothing) {
  const NodeId directory = make_directory("d");
  write_file(directory, "a", random_bytes(300'000, 1));
  write_file(directory, "b", random_bytes(100'000, 2));
  write_file(directory, "small", random_bytes(10, 3));
  write_file(kRootNode, "elsewhere", random_bytes(500'000, 4));
  store_->environment().cache.flush();
  store_->environment().cache.clear();
  store_->chunk_reader().drop_memory();

  const Result<Json> first = ask({{"op", "prefetch"}, {"paths", {"d"}}});
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->at("files"), 3);
  EXPECT_EQ(first->at("bytes"), 400'010);
  EXPECT_EQ(first->at("fetched_bytes"), 400'000);
  EXPECT_EQ(first->at("failed"), Json::array());

  const uint64_t fetched = store_->environment().counters.chunks_fetched;
  const Result<Json> second = ask({{"op", "prefetch"}, {"paths", {"d/a", "d/b", "d/small"}}});
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(second->at("present_bytes"), 400'010);
  EXPECT_EQ(second->at("fetched_bytes"), 0);
  EXPECT_EQ(store_->environment().counters.chunks_fetched, fetched);
}

TEST_F(MountServiceTest, prefetch_names_the_files_that_cannot_be_read_whole_and_brings_the_others) {
  write_file(kRootNode, "good", random_bytes(100'000, 1));
  write_file(kRootNode, "bad", random_bytes(100'000, 2));
  store_->environment().cache.flush();
  store_->environment().cache.clear();
  store_->chunk_reader().drop_memory();
  const auto context = test_context();
  const Result<Entry> bad = find_entry(directories_of_store(store_->environment(), context), "bad");
  ASSERT_TRUE(bad);
  const auto& manifest = std::get<ManifestPtr>(bad->current()->content);
  const std::string id = manifest->chunks().front().id.hex();
  std::filesystem::remove(home_.path() / "store/chunks" / id.substr(0, 2) / id);

  const Result<Json> result = ask({{"op", "prefetch"}, {"paths", {""}}});
  ASSERT_TRUE(result) << result.error().message();
  ASSERT_EQ(result->at("failed").size(), 1U);
  EXPECT_EQ(result->at("failed")[0].at("path"), "/bad");
  EXPECT_GE(result->at("fetched_bytes"), 100'000);
}

TEST_F(MountServiceTest, prefetch_of_nothing_is_explained) {
  EXPECT_EQ(ask({{"op", "prefetch"}, {"paths", {"none"}}}).error().code(), Errc::not_found);
  const Result<Json> stopped = [this] {
    std::stop_source stop;
    stop.request_stop();
    return service_->handle(
        {{"op", "prefetch"}, {"paths", {""}}}, [](const Json&) {}, stop.get_token());
  }();
  EXPECT_EQ(stopped.error().code(), Errc::cancelled);
  mount("0");
  const Result<Json> uncached = ask({{"op", "prefetch"}, {"paths", {""}}});
  EXPECT_NE(uncached.error().message().find("no cache"), std::string::npos);
}

TEST_F(MountServiceTest, who_awaits_the_end_is_answered_when_it_has_come) {
  Gate waiting;
  Result<Json> words = fail(Errc::io, "not answered");
  std::thread waiter([&] {
    words = service_->handle({{"op", "await_end"}}, [&](const Json&) { waiting.open(); }, {});
  });
  ASSERT_TRUE(waiting.pass(test_context()));
  service_->announce_end();
  waiter.join();
  ASSERT_TRUE(words) << words.error().message();
  EXPECT_EQ(words->at("unpublished"), Json::array());
}

TEST_F(MountServiceTest, requests_that_make_no_sense_are_refused) {
  EXPECT_EQ(ask({{"op", "fly"}}).error().code(), Errc::unsupported);
  EXPECT_EQ(ask({{"no", "op"}}).error().code(), Errc::invalid_argument);
  EXPECT_EQ(ask({{"op", "log"}, {"path", 5}}).error().code(), Errc::invalid_argument);
  EXPECT_EQ(ask({{"op", "prefetch"}, {"paths", "d"}}).error().code(), Errc::invalid_argument);
}

TEST_F(MountServiceTest, a_second_mount_with_the_same_cache_is_refused_with_the_way_out) {
  const auto second = open_store(home_.path() / "cache", Settings());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::conflict);
  EXPECT_NE(second.error().message().find("--cache-dir"), std::string::npos) << second.error().message();
}

}  // namespace
}  // namespace cairn
