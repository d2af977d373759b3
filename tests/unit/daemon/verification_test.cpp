// Where `verify=auto` checks digests, from the URL to the bytes.
#include "daemon/verification.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "daemon/mounted_store.h"
#include "daemon/status_json.h"
#include "remote/memory_object_store.h"
#include "remote/open.h"
#include "tests/support/faulty_object_store.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

ObjectWay way_of(const std::string& parameters) {
  return open_object_store("s3://bucket/p?anonymous=true&" + parameters, {}).value()->way();
}

TEST(VerificationTest, tls_and_this_machine_are_authenticated_and_http_from_elsewhere_is_not) {
  EXPECT_TRUE(way_of("endpoint=https://s3.example.com").is_authenticated);
  EXPECT_TRUE(way_of("endpoint=http://localhost:9000").is_authenticated);
  EXPECT_TRUE(way_of("endpoint=http://127.0.0.1:9000").is_authenticated);
  EXPECT_TRUE(way_of("endpoint=http://[::1]:9000").is_authenticated);
  for (const std::string host : {"s3.example.com", "10.0.0.1:9000", "localhost.example.com", "127.0.0.1.example.com",
                                 "[fd00::1]:80", "128.0.0.1"}) {
    EXPECT_FALSE(way_of("endpoint=http://" + host).is_authenticated) << host;
  }
  TemporaryDirectory directory;
  EXPECT_TRUE(open_object_store("dir:" + directory.path().string(), {}).value()->way().is_authenticated);
}

TEST(VerificationTest, auto_follows_the_way_and_the_other_values_do_not) {
  const ObjectWay tls{true, "TLS"};
  const ObjectWay http{false, "http:// from another machine"};
  EXPECT_FALSE(choose_verification("auto", tls).digest);
  EXPECT_TRUE(choose_verification("auto", http).digest);
  EXPECT_FALSE(choose_verification("checksum", http).digest);
  EXPECT_TRUE(choose_verification("digest", tls).digest);
  EXPECT_NE(choose_verification("auto", http).why.find("http://"), std::string::npos);
}

TEST(VerificationTest, what_is_cached_is_believed_by_mounts_that_check_no_more) {
  const uint32_t checksum = choose_verification("checksum", {}).care;
  const uint32_t automatic = choose_verification("auto", {}).care;
  EXPECT_LT(checksum, automatic);
  EXPECT_LT(automatic, choose_verification("digest", {}).care);
  EXPECT_EQ(automatic, choose_verification("auto", {false, "http"}).care);
}

// A store whose bytes come by plain http, as far as it says.
class ExposedObjectStore final : public ObjectStore {
 public:
  explicit ExposedObjectStore(ObjectStore& inner) : inner_(inner) {}
  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override {
    return inner_.get(key, range, context);
  }
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override {
    return inner_.put_if_absent(key, bytes, context);
  }
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override {
    return inner_.head(key, context);
  }
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override {
    return inner_.list(prefix, start_after, limit, context);
  }
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override {
    return inner_.remove(keys, context);
  }
  [[nodiscard]] std::string describe() const override { return inner_.describe(); }
  [[nodiscard]] ObjectWay way() const override { return {false, "http:// from another machine"}; }

 private:
  ObjectStore& inner_;
};

TEST(VerificationTest, a_mount_by_http_checks_digests_and_its_status_says_why) {
  TestStore store;
  TemporaryDirectory directory;
  KernelRandom random;
  const auto mounted = [&](std::unique_ptr<ObjectStore> bare) {
    auto remote = std::make_unique<RemoteStack>(std::move(bare), RemoteStack::Options{}, system_clock(), random);
    Settings settings;
    settings.cache_size = {64 << 20, 0};
    return MountedStore::open({std::move(remote), store.format(), directory.path().string(), settings}).value();
  };
  {
    const auto mount = mounted(std::make_unique<ExposedObjectStore>(store.objects()));
    EXPECT_TRUE(mount->environment().options.verify_digest);
    const auto status = status_json(*mount, "")["verify"];
    EXPECT_EQ(status["by"], "digest");
    EXPECT_NE(status["why"].get<std::string>().find("http://"), std::string::npos);
  }
  const auto mount = mounted(std::make_unique<FaultyObjectStore>(store.objects()));
  EXPECT_FALSE(mount->environment().options.verify_digest);
  EXPECT_EQ(status_json(*mount, "")["verify"]["by"], "checksum");
}

}  // namespace
}  // namespace cairn
