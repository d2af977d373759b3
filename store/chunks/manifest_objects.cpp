#include "store/chunks/manifest_objects.h"

#include <array>

#include "store/chunks/put_whole.h"
#include "store/format/envelope.h"
#include "store/format/keys.h"
#include "store/format/manifest_codec.h"

namespace cairn {

namespace {

// The cache stores things of a known size of at most a chunk, so an object goes in with its length in front.
constexpr size_t kLengthBytes = sizeof(uint64_t);

void cache_object(StoreEnvironment& environment, const Digest& id, ByteView object) {
  if (kLengthBytes + object.size() > environment.format.chunk_size) return;
  Buffer framed(kLengthBytes + object.size());
  store_le<uint64_t>(object.size(), framed.data());
  std::memcpy(framed.data() + kLengthBytes, object.data(), object.size());
  environment.cache.put(id, std::make_shared<const Buffer>(std::move(framed)));
}

// Empty if it is not cached.
Buffer cached_object(StoreEnvironment& environment, const Digest& id) {
  std::array<std::byte, kLengthBytes> length;
  if (!environment.cache.read(id, 0, length)) return {};
  const auto size_bytes = load_le<uint64_t>(length.data());
  if (size_bytes > environment.format.chunk_size) return {};
  Buffer object(size_bytes);
  if (!environment.cache.read(id, kLengthBytes, object.mutable_view())) return {};
  return object;
}

}  // namespace

Result<ManifestPtr> fetch_manifest(StoreEnvironment& environment, const Digest& id, const RequestContext& context) {
  const uint32_t chunk_size = environment.format.chunk_size;
  const uint64_t most_bytes = environment.most_metadata_bytes();
  if (const Buffer cached = cached_object(environment, id); !cached.empty()) {
    if (auto manifest = decode_manifest(cached.view(), id, chunk_size, most_bytes)) {
      return std::make_shared<const Manifest>(std::move(*manifest));
    }
  }
  auto object = environment.objects.get(keys::manifest(id), {.most_bytes = most_bytes}, context);
  if (!object) {
    if (object.error().code() == Errc::not_found) environment.damaged.add(id);
    return fail(object.error().in("manifest " + id.short_hex()));
  }
  const auto room = environment.room_to_decode(claimed_message_bytes(object->view()), context);
  if (!room) return fail(room.error().in("manifest " + id.short_hex()));
  auto manifest = decode_manifest(object->view(), id, chunk_size, most_bytes);
  if (!manifest) {
    ++environment.counters.corrupt_objects;
    environment.damaged.add(id);
    return fail(manifest.error().in("manifest " + id.short_hex()));
  }
  environment.known.prove(id);
  cache_object(environment, id, object->view());
  return std::make_shared<const Manifest>(std::move(*manifest));
}

Result<Digest> put_manifest(StoreEnvironment& environment, const Manifest& manifest, const RequestContext& context) {
  const auto encoded = encode_manifest(manifest, environment.format.chunk_size);
  if (!encoded) return fail(encoded.error().in("manifest"));
  const uint64_t message_bytes = claimed_message_bytes(encoded->object.view());
  const auto is_whole = [&](const Buffer& object) -> Result<bool> {
    const auto message = unwrap_envelope(kManifestMagic, object.view(), message_bytes);
    if (!message && message.error().code() == Errc::unsupported) return fail(message.error());
    return message && sha256(message->view()) == encoded->id;
  };
  const NamedObject named{.id = encoded->id,
                          .key = keys::manifest(encoded->id),
                          .most_bytes = message_bytes + kEnvelopeBytes,
                          .is_whole = is_whole};
  const auto put = put_whole(environment, named, encoded->object.view(), context);
  if (!put) return fail(put.error().in("manifest " + encoded->id.short_hex()));
  cache_object(environment, encoded->id, encoded->object.view());
  return encoded->id;
}

}  // namespace cairn
