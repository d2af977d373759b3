// Objects in a bucket of an S3-style endpoint.
#pragma once

#include <string>

#include "remote/object_store.h"
#include "remote/s3/s3_client.h"

namespace cairn {

// Needs of the endpoint: GET, PUT with `If-None-Match: *`, HEAD, ListObjectsV2 in bytewise order, DELETE,
// DeleteObjects; strong consistency. Nothing else: no multipart uploads, no If-Match, no checksum headers, which are
// not honoured everywhere. (`If-None-Match` is not, either: atomic_create_proof.h finds out.) Every request carries its
// payload's SHA-256 in its signature, so that the endpoint refuses an upload that was damaged on its way. A bucket that
// demands Content-MD5 (object lock) says so, and gets it from then on.
//
// Thread-safety: all methods may be called from any thread.
// Failures: those of ObjectStore; unsupported and invalid_argument where the endpoint or the bucket is not what is
//   needed. docs/s3.md has the table of answers and errors.
// Durability: the endpoint's promise for a PUT that it answered.
class S3ObjectStore final : public ObjectStore {
 public:
  // `read_only`: puts and removes fail here, before the endpoint is asked.
  S3ObjectStore(S3Client::Options options, bool read_only, const Clock& clock)
      : client_(std::move(options), clock), read_only_(read_only) {}

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override;
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override;
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override;
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override;
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override;
  // A URL that opens this store.
  [[nodiscard]] std::string describe() const override { return client_.location().url(); }
  [[nodiscard]] ObjectWay way() const override;

 private:
  Result<void> check_writable() const;
  [[nodiscard]] std::string full_key(const std::string& key) const { return client_.location().prefix + key; }
  Result<ListPage> without_prefix(ListPage page) const;
  Result<void> remove_one(const std::string& key, const RequestContext& context);
  Result<void> remove_many(std::span<const std::string> keys, const RequestContext& context);

  S3Client client_;
  const bool read_only_;
};

}  // namespace cairn
