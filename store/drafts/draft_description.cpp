#include "store/drafts/draft_description.h"

#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "store/format/entry_codec.h"

namespace cairn {

namespace {

constexpr uint32_t kFormat = 2;  // 1: no "format", extents as an array of arrays

// "4096-8192s,9000-9100z,": staged bytes and zeros. A text, since there may be a million of them.
std::string extents_to_text(const DraftLayout& layout) {
  std::string text;
  for (const auto& [begin, extent] : layout.extents()) {
    fmt::format_to(std::back_inserter(text), "{}-{}{},", begin, extent.end, extent.staged ? 's' : 'z');
  }
  return text;
}

// Throws what nlohmann throws.
DraftLayout::Extents extents_from_array(const nlohmann::json& json) {
  DraftLayout::Extents extents;
  for (const auto& item : json) {
    extents[item.at(0).get<uint64_t>()] = {item.at(1).get<uint64_t>(), item.at(2).get<bool>()};
  }
  return extents;
}

// nullopt: not what extents_to_text wrote.
std::optional<DraftLayout::Extents> extents_from_text(const std::string& text) {
  DraftLayout::Extents extents;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    uint64_t begin = 0;
    DraftLayout::Extent extent;
    const auto first = std::from_chars(at, end, begin);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-') return std::nullopt;
    const auto second = std::from_chars(first.ptr + 1, end, extent.end);
    if (second.ec != std::errc() || end - second.ptr < 2 || second.ptr[1] != ',') return std::nullopt;
    extent.staged = *second.ptr == 's';
    extents.emplace_hint(extents.end(), begin, extent);
    at = second.ptr + 2;
  }
  return extents;
}

// Throws what nlohmann throws.
std::optional<DraftLayout> layout_from_json(const nlohmann::json& json) {
  const auto& listed = json.at("extents");
  auto extents = listed.is_string() ? extents_from_text(listed.get_ref<const std::string&>())
                                    : std::optional(extents_from_array(listed));
  if (!extents) return std::nullopt;
  return DraftLayout(json.at("size").get<uint64_t>(), json.at("base_limit").get<uint64_t>(), std::move(*extents));
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
  json["format"] = kFormat;
  json["store_id"] = description.store_id;
  json["chunk_size"] = chunk_size;
  json["identity"] = description.identity;
  json["size"] = description.layout.size_bytes();
  json["base_limit"] = description.layout.base_limit();
  json["extents"] = extents_to_text(description.layout);
  if (description.base) json["base"] = to_hex(as_bytes(serialize_version(description.base, chunk_size)));
  return json.dump();
}

Result<DraftDescription> parse_draft(std::string_view text, uint32_t chunk_size) {
  DraftDescription description;
  std::string base;
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.value("format", 1U) > kFormat)
      return fail(Errc::unsupported, "a kept draft of a later version of cairnfs");
    description.store_id = json.value("store_id", "");
    chunk_size = json.value("chunk_size", chunk_size);
    description.identity = json.at("identity").get<std::string>();
    auto layout = layout_from_json(json);
    if (!layout) return fail(Errc::corrupt, "the description of a kept draft: extents that are none");
    description.layout = std::move(*layout);
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
