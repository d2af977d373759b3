// Chunks and files put straight into a store, for tests of what reads them.
#pragma once

#include <vector>

#include "base/check.h"
#include "store/codec/chunk_codec.h"
#include "store/format/entry.h"
#include "store/format/keys.h"
#include "store/reading/file_reader.h"
#include "tests/support/gate.h"
#include "tests/support/test_environment.h"

namespace cairn {

inline ChunkRef put_chunk(ObjectStore& objects, uint64_t offset, ByteView plain) {
  const ChunkRef ref{offset, static_cast<uint32_t>(plain.size()), sha256(plain), xxh3_128(plain)};
  const auto put = objects.put_if_absent(keys::chunk(ref.id), encode_chunk(plain, 1).view(), test_context());
  check(put || put.error().code() == Errc::already_exists, "a test can put a chunk");
  return ref;
}

inline VersionPtr version_of(Content content, uint64_t size_bytes) {
  Version version;
  version.size_bytes = size_bytes;
  version.content = std::move(content);
  return std::make_shared<const Version>(std::move(version));
}

// `plain` cut into chunks of the store's size, listed inside the version.
inline VersionPtr put_file(TestStore& store, ByteView plain) {
  const uint32_t chunk_size = store.format().chunk_size;
  std::vector<ChunkRef> chunks;
  for (uint64_t at = 0; at < plain.size(); at += chunk_size) {
    chunks.push_back(
        put_chunk(store.objects(), at, plain.subspan(at, std::min<uint64_t>(chunk_size, plain.size() - at))));
  }
  return version_of(std::make_shared<const Manifest>(plain.size(), std::move(chunks)), plain.size());
}

// Returns once everything that was queued before has run: for hosts with one io thread.
inline void let_io_finish(TestEnvironment& host) {
  Gate ran;
  host.environment().io.submit([&ran] { ran.open(); });
  check(ran.pass(test_context()).has_value(), "the io thread gets to its end");
}

inline std::vector<std::byte> to_vector(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace cairn
