#include "store/drafts/draft_description.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "store/format/entry_codec.h"

namespace cairn {

namespace {

nlohmann::json extents_to_json(const DraftLayout& layout) {
  auto list = nlohmann::json::array();
  for (const auto& [begin, extent] : layout.extents()) list.push_back({begin, extent.end, extent.staged});
  return list;
}

// Throws nlohmann::json's exceptions.
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
  if (description.base) json["base"] = to_hex(as_bytes(serialize_version(description.base, chunk_size)));
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
    std::string bytes(base.size() / 2, '\0');
    if (!from_hex(base, std::as_writable_bytes(std::span(bytes)))) return fail(Errc::corrupt, "a base that is no hex");
    auto version = parse_version(as_bytes(bytes), chunk_size);
    if (!version) return fail(version.error().in("the base of a kept draft"));
    description.base = std::move(*version);
  }
  if (!is_consistent(description.layout, description.base)) {
    return fail(Errc::corrupt, "the description of a kept draft contradicts itself");
  }
  return description;
}

}  // namespace cairn
