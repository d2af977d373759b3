#include "daemon/read_only_store.h"

#include "base/random.h"
#include "daemon/verification.h"
#include "remote/open.h"

namespace cairn {

namespace {

constexpr uint64_t kLookingMemory = 64U << 20;
constexpr std::chrono::seconds kOpenTimeout{30};

StoreOptions looking_options(const ObjectWay& way) {
  StoreOptions options;
  options.read_only = true;
  options.verify_digest = choose_verification("auto", way).digest;
  return options;
}

}  // namespace

Result<std::unique_ptr<ReadOnlyStore>> ReadOnlyStore::open(const std::string& url) {
  Result<std::unique_ptr<ObjectStore>> bare = open_object_store(url, {.read_only = true});
  if (!bare) return fail(bare.error());
  Result<StoreFormat> format = open_store_format(**bare, RequestContext::within(kOpenTimeout));
  if (!format) return fail(format.error());
  return std::unique_ptr<ReadOnlyStore>(new ReadOnlyStore(std::move(*bare), std::move(*format)));
}

ReadOnlyStore::ReadOnlyStore(std::unique_ptr<ObjectStore> bare, StoreFormat format)
    : remote_(std::move(bare), {}, system_clock(), kernel_random()),
      memory_(kLookingMemory),
      compute_("compute", 1),
      io_("io", 2),
      environment_{remote_.objects(),
                   cache_,
                   images_,
                   staging_,
                   memory_,
                   io_,
                   compute_,
                   system_clock(),
                   kernel_random(),
                   std::move(format),
                   looking_options(remote_.objects().way()),
                   {}} {}

}  // namespace cairn
