#include "store/drafts/draft_description.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "store/format/entry_codec.h"
#include "store/format/format.pb.h"

namespace cairn {

namespace {

// The version as the only one of an entry: the codec of records then does the rest.
std::string version_to_hex(const VersionPtr& version, uint32_t chunk_size) {
  Entry entry;
  entry.id = kRootId;  // any will do
  entry.versions = {version};
  format::Entry proto;
  write_entry(entry, KnownVersions(), chunk_size, &proto);
  return to_hex(as_bytes(proto.SerializeAsString()));
}

Result<VersionPtr> version_from_hex(const std::string& hex, uint32_t chunk_size) {
  std::string bytes(hex.size() / 2, '\0');
  format::Entry proto;
  if (!from_hex(hex, std::as_writable_bytes(std::span(bytes))) || !proto.ParseFromString(bytes)) {
    return fail(Errc::corrupt, "the base of a kept draft does not parse");
  }
  auto entry = read_entry(proto, nullptr, chunk_size);
  if (!entry) return fail(std::move(entry).error());
  if (!entry->current()) return fail(Errc::corrupt, "the base of a kept draft has no version");
  return entry->current();
}

nlohmann::json extents_to_json(const DraftLayout& layout) {
  auto list = nlohmann::json::array();
  for (const auto& [begin, extent] : layout.extents()) list.push_back({begin, extent.end, extent.staged});
  return list;
}

// Throws what nlohmann throws.
DraftLayout layout_from_json(const nlohmann::json& json) {
  DraftLayout::Extents extents;
  for (const auto& item : json.at("extents")) {
    extents[item.at(0).get<uint64_t>()] = {item.at(1).get<uint64_t>(), item.at(2).get<bool>()};
  }
  return {json.at("size").get<uint64_t>(), json.at("base_limit").get<uint64_t>(), std::move(extents)};
}

bool is_consistent(const DraftLayout& layout, const VersionPtr& base) {
  uint64_t end = 0;
  for (const auto& [begin, extent] : layout.extents()) {
    if (begin < end || extent.end <= begin) return false;
    end = extent.end;
  }
  const uint64_t base_bytes = base ? base->size_bytes : 0;
  return end <= layout.size_bytes() && layout.base_limit() <= std::min(base_bytes, layout.size_bytes());
}

}  // namespace

std::string describe_draft(const DraftDescription& description, uint32_t chunk_size) {
  nlohmann::json json;
  json["identity"] = description.identity;
  json["size"] = description.layout.size_bytes();
  json["base_limit"] = description.layout.base_limit();
  json["extents"] = extents_to_json(description.layout);
  if (description.base) json["base"] = version_to_hex(description.base, chunk_size);
  return json.dump();
}

Result<DraftDescription> parse_draft(std::string_view text, uint32_t chunk_size) {
  DraftDescription description;
  std::string base;
  try {
    const auto json = nlohmann::json::parse(text);
    description.identity = json.at("identity").get<std::string>();
    description.layout = layout_from_json(json);
    base = json.value("base", "");
  } catch (const nlohmann::json::exception& thrown) {
    return fail(Errc::corrupt, "the description of a kept draft: {}", thrown.what());
  }
  if (!base.empty()) {
    auto version = version_from_hex(base, chunk_size);
    if (!version) return fail(std::move(version).error());
    description.base = std::move(*version);
  }
  if (!is_consistent(description.layout, description.base)) {
    return fail(Errc::corrupt, "the description of a kept draft contradicts itself");
  }
  return description;
}

}  // namespace cairn
