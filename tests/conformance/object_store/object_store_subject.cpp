#include "tests/conformance/object_store/object_store_subject.h"

#include "base/check.h"
#include "remote/decorators/detached_object_store.h"
#include "remote/directory/directory_object_store.h"
#include "remote/memory_object_store.h"
#include "remote/open.h"
#include "remote/remote_stack.h"
#include "tests/support/faulty_object_store.h"
#include "tests/support/s3_store.h"
#include "tests/support/test_environment.h"

namespace cairn {

namespace {

std::unique_ptr<ObjectStore> open_directory(const TemporaryDirectory& directory) {
  auto opened = DirectoryObjectStore::open({(directory.path() / "store").string(), false, true});
  check(opened.has_value(), "a temporary directory can hold a store");
  return std::move(*opened);
}

std::unique_ptr<ObjectStore> open_by_url(const TemporaryDirectory& directory) {
  auto opened = open_object_store("dir:" + (directory.path() / "store").string(), {.create = true});
  check(opened.has_value(), "a temporary directory can hold a store");
  return std::move(*opened);
}

Result<void> do_not_wait(std::chrono::nanoseconds, const RequestContext& context) { return context.check(); }

class InMemory final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return store_; }

 private:
  MemoryObjectStore store_;
};

class InDirectory final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return *store_; }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<ObjectStore> store_ = open_directory(directory_);
};

class Metered final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return store_; }

 private:
  MemoryObjectStore inner_;
  MeteredObjectStore store_{inner_, system_clock()};
};

// Room for two, so that the racers of the suite queue.
class Limited final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return store_; }

 private:
  MemoryObjectStore inner_;
  LimitedObjectStore store_{inner_, {.operations = 2, .background_operations = 1}};
};

// Two threads, so that the racers of the suite wait for them.
class Detached final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return store_; }

 private:
  DetachedObjectStore store_{std::make_unique<MemoryObjectStore>(), {.threads = 2}};
};

class Faultless final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return store_; }

 private:
  MemoryObjectStore inner_;
  FaultyObjectStore store_{inner_};
};

// Every third operation fails without having happened, every fifth although it did: nobody above must notice.
class RetryingOverFaults final : public ObjectStoreSubject {
 public:
  RetryingOverFaults() {
    constexpr uint64_t kOperations = 3000;
    for (uint64_t nth = 3; nth < kOperations; nth += 3) faulty_.add({.nth = nth, .effect = FaultEffect::fail_before});
    for (uint64_t nth = 5; nth < kOperations; nth += 5) faulty_.add({.nth = nth, .effect = FaultEffect::fail_after});
  }
  ObjectStore& store() override { return store_; }

 private:
  MemoryObjectStore inner_;
  FaultyObjectStore faulty_{inner_};
  SeededRandom random_{test_seed()};
  RetryingObjectStore store_{faulty_, {.attempts = 100, .budget = 10'000}, random_, do_not_wait};
};

class WholeStack final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return stack_.objects(); }

 private:
  TemporaryDirectory directory_;
  SeededRandom random_{test_seed()};
  RemoteStack stack_{open_by_url(directory_), {}, system_clock(), random_};
};

// Both gets of a race may be the answer.
class Hedged final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return store_; }

 private:
  MemoryObjectStore inner_;
  HedgedObjectStore store_{inner_, {.factor = 1, .least_wait = {}, .gets_per_hedge = 1}, system_clock()};
};

class OnS3 final : public ObjectStoreSubject {
 public:
  ObjectStore& store() override { return *store_; }

 private:
  HostileHttpServer server_;
  std::unique_ptr<ObjectStore> store_ = open_s3_store(server_);
};

// Of eleven requests three go wrong, each in a way that says nothing about whether it happened.
class OnFaultyS3 final : public ObjectStoreSubject {
 public:
  OnFaultyS3() {
    constexpr uint64_t kRequests = 3000;
    for (uint64_t nth = 3; nth < kRequests; nth += 11) {
      server_.add({.nth = nth, .delivery = HttpDelivery::close, .happens = true});
      server_.add({.nth = nth + 3, .reply = s3_error(503, "SlowDown")});
      server_.add({.nth = nth + 6, .delivery = HttpDelivery::close_half_way});
    }
  }
  ObjectStore& store() override { return store_; }

 private:
  HostileHttpServer server_;
  std::unique_ptr<ObjectStore> bare_ = open_s3_store(server_);
  SeededRandom random_{test_seed()};
  RetryingObjectStore store_{*bare_, {.attempts = 100, .budget = 10'000}, random_, do_not_wait};
};

class OnRgw final : public ObjectStoreSubject {
 public:
  explicit OnRgw(const S3Server& server, const std::string& parameters = "")
      : store_(open_s3_store(server, fmt::format("conformance/{:016x}", KernelRandom().next_u64()), parameters)) {}
  ObjectStore& store() override { return *store_; }

 private:
  std::unique_ptr<ObjectStore> store_;
};

template <class Subject>
ObjectStoreKind kind(std::string name) {
  return {std::move(name), [] { return std::make_unique<Subject>(); }};
}

Result<std::unique_ptr<ObjectStoreSubject>> make_on_rgw() {
  const auto server = find_s3_server();
  if (!server) return fail(server.error());
  return std::make_unique<OnRgw>(*server);
}

// In a tenant's name space, encrypted, paid for by us.
Result<std::unique_ptr<ObjectStoreSubject>> make_on_rgw_with_terms() {
  auto server = find_s3_server();
  if (!server) return fail(server.error());
  server->bucket = server->tenant_bucket;
  return std::make_unique<OnRgw>(
      *server,
      fmt::format("&sse=aws:kms&sse-kms-key-id={}&storage-class=STANDARD&requester-pays=true", server->kms_key));
}

}  // namespace

std::vector<ObjectStoreKind> object_store_kinds() {
  return {kind<InMemory>("memory"),
          kind<InDirectory>("directory"),
          kind<Metered>("metered"),
          kind<Limited>("limited"),
          kind<Detached>("detached"),
          kind<Faultless>("faulty_without_faults"),
          kind<RetryingOverFaults>("retrying_over_faults"),
          kind<Hedged>("hedged"),
          kind<OnS3>("s3"),
          kind<OnFaultyS3>("retrying_over_faulty_s3"),
          {"rgw", make_on_rgw},
          {"rgw_with_tenant_and_terms", make_on_rgw_with_terms},
          kind<WholeStack>("retrying_limited_metered_detached_directory")};
}

}  // namespace cairn
