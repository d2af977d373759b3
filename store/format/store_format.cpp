#include "store/format/store_format.h"

#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <nlohmann/json.hpp>

#include "store/format/keys.h"
#include "store/format/record.h"

namespace cairn {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxJsonBytes = 64U << 10;
constexpr uint32_t kMinChunkSize = 64U << 10;
constexpr uint32_t kMaxChunkSize = 4U << 20;
constexpr uint32_t kMaxKeepVersions = 4096;
constexpr uint32_t kRootMode = 0755;

Result<void> check_values(const StoreFormat& format) {
  const bool chunk_size_fits = std::has_single_bit(format.chunk_size) && format.chunk_size >= kMinChunkSize &&
                               format.chunk_size <= kMaxChunkSize;
  if (!chunk_size_fits) {
    return fail(Errc::invalid_argument, "chunk_size {} is not a power of two from {} to {}", format.chunk_size,
                kMinChunkSize, kMaxChunkSize);
  }
  if (format.keep_versions == 0 || format.keep_versions > kMaxKeepVersions) {
    return fail(Errc::invalid_argument, "keep_versions {} is not within 1 to {}", format.keep_versions,
                kMaxKeepVersions);
  }
  return {};
}

bool is_store_id(std::string_view text) {
  std::array<std::byte, 16> bytes;
  return from_hex(text, bytes);
}

template <class T>
bool read_unsigned(const Json& json, const char* name, T* value) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number_unsigned()) return false;
  const auto wide = found->get<uint64_t>();
  *value = static_cast<T>(wide);
  return *value == wide;
}

bool read_text(const Json& json, const char* name, std::string* value) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string()) return false;
  *value = found->get<std::string>();
  return true;
}

// The version comes first: nothing else of a newer format is believed.
Result<void> check_version(const Json& json) {
  uint32_t version = 0;
  if (!read_unsigned(json, "format", &version) || version == 0) return fail(Errc::corrupt, "no format version");
  if (version <= kFormatVersion) return {};
  return fail(Errc::unsupported,
              "the store has format {}, this cairnfs reads up to format {}: use a newer cairnfs (one that says it "
              "reads format {})",
              version, kFormatVersion, version);
}

Result<StoreFormat> read_values(const Json& json) {
  StoreFormat format;
  const bool complete = read_unsigned(json, "format", &format.format) &&
                        read_text(json, "store_id", &format.store_id) &&
                        read_unsigned(json, "chunk_size", &format.chunk_size) &&
                        read_unsigned(json, "keep_versions", &format.keep_versions) &&
                        read_unsigned(json, "keep_deleted_seconds", &format.keep_deleted_seconds);
  if (!complete || !is_store_id(format.store_id)) return fail(Errc::corrupt, "a field is missing or malformed");
  if (auto sane = check_values(format); !sane) return fail(Errc::corrupt, "{}", sane.error().message());
  return format;
}

// The root belongs to the user who makes the store, as the top of a fresh local filesystem would.
Record root_record(const Clock& clock, Random& random) {
  Record record;
  record.directory = kRootId;
  record.number = 1;
  record.snapshot = 1;
  record.time = clock.wall_now();
  for (size_t i = 0; i < record.commit.size(); i += 8) store_le(random.next_u64(), record.commit.data() + i);
  record.attributes = Attributes{.mode = kRootMode,
                                 .uid = ::geteuid(),
                                 .gid = ::getegid(),
                                 .mtime = record.time,
                                 .ctime = record.time,
                                 .xattrs = {}};
  return record;
}

// One that is there already is what an interrupted init left, or a racing one makes: as good as ours.
Result<void> put_root(ObjectStore& objects, const StoreFormat& format, const Clock& clock, Random& random,
                      const RequestContext& context) {
  auto object = encode_record(root_record(clock, random), DirectoryState{}, format.chunk_size);
  if (!object) return fail(std::move(object).error());
  auto put = objects.put_if_absent(keys::record(kRootId, 1), object->view(), context);
  if (!put && put.error().code() != Errc::already_exists) return fail(put.error().in("write the root directory"));
  return {};
}

Result<Buffer> get_format(ObjectStore& objects, const RequestContext& context) {
  return objects.get(keys::kFormat, ByteRange{.offset = 0, .length = kMaxJsonBytes, .most_bytes = kMaxJsonBytes},
                     context);
}

// Whether the format object, which was found in place of ours, is ours after all: a put may succeed unheard.
bool stands(ObjectStore& objects, const std::string& json, const RequestContext& context) {
  const auto found = get_format(objects, context);
  return found && as_text(found->view()) == json;
}

}  // namespace

std::string StoreFormat::to_json() const {
  const Json json = {{"format", format},
                     {"store_id", store_id},
                     {"chunk_size", chunk_size},
                     {"keep_versions", keep_versions},
                     {"keep_deleted_seconds", keep_deleted_seconds}};
  return json.dump(2) + "\n";
}

Result<StoreFormat> StoreFormat::from_json(std::string_view text) {
  const auto in_format = [](const Error& error) { return fail(error.in(keys::kFormat)); };
  if (text.size() >= kMaxJsonBytes) return in_format(Error(Errc::corrupt, "too long"));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return in_format(Error(Errc::corrupt, "not a JSON object"));
  if (auto known = check_version(json); !known) return in_format(known.error());
  auto format = read_values(json);
  if (!format) return in_format(format.error());
  return format;
}

Result<StoreFormat> init_store(ObjectStore& objects, StoreFormat wanted, const Clock& clock, Random& random,
                               const RequestContext& context) {
  if (auto sane = check_values(wanted); !sane) return fail(std::move(sane).error());
  const auto taken = [&] { return fail(Errc::already_exists, "{} holds a store already", objects.describe()); };
  auto there = objects.head(keys::kFormat, context);
  if (there) return taken();
  if (there.error().code() != Errc::not_found) return fail(std::move(there).error());

  wanted.format = kFormatVersion;
  const uint64_t high = random.next_u64();
  wanted.store_id = fmt::format("{:016x}{:016x}", high, random.next_u64());
  if (auto root = put_root(objects, wanted, clock, random, context); !root) return fail(std::move(root).error());
  const std::string json = wanted.to_json();
  auto put = objects.put_if_absent(keys::kFormat, as_bytes(json), context);
  if (!put && put.error().code() == Errc::already_exists) {
    if (!stands(objects, json, context)) return taken();
  } else if (!put) {
    return fail(put.error().in("write cairn.format"));
  }
  return wanted;
}

Result<StoreFormat> open_store_format(ObjectStore& objects, const RequestContext& context) {
  auto json = get_format(objects, context);
  if (!json && json.error().code() == Errc::not_found) {
    return fail(Errc::not_found, "{} is no CairnFS store: make one with `cairnfs init`", objects.describe());
  }
  if (!json) return fail(json.error().in(objects.describe()));
  return StoreFormat::from_json(as_text(json->view()));
}

}  // namespace cairn
