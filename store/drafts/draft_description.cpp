#include "store/drafts/draft_description.h"

#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "store/format/entry_codec.h"

namespace cairn {

namespace {

constexpr uint32_t kFormat = 3;
constexpr uint32_t kFormatNothingSent = 2;  // 1: no "format", extents as an array of arrays

// "4096-8192s,9000-9100z,": staged bytes and zeros. A text, since there may be a million of them. What was sent:
// "8192-9000c(0+16384:<SHA-256><XXH3-128>),", where the chunk lies in the file and what it is.
std::string extents_to_text(const DraftLayout& layout) {
  std::string text;
  for (const auto& [begin, extent] : layout.extents()) {
    if (extent.chunk) {
      const ChunkRef& chunk = *extent.chunk;
      fmt::format_to(std::back_inserter(text), "{}-{}c({}+{}:{}{}),", begin, extent.end, chunk.offset, chunk.size,
                     chunk.id.hex(), chunk.checksum.hex());
    } else {
      fmt::format_to(std::back_inserter(text), "{}-{}{},", begin, extent.end, extent.staged ? 's' : 'z');
    }
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

// Takes what it reads off the front of `text`. False: it is something else.
bool take(std::string_view& text, uint64_t& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  return true;
}
bool take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}
bool take(std::string_view& text, MutableByteView bytes) {
  const size_t digits = 2 * bytes.size();
  if (text.size() < digits || !from_hex(text.substr(0, digits), bytes)) return false;
  text.remove_prefix(digits);
  return true;
}
bool take(std::string_view& text, ChunkRef& chunk) {
  uint64_t size_bytes = 0;
  const bool taken = take(text, '(') && take(text, chunk.offset) && take(text, '+') && take(text, size_bytes) &&
                     take(text, ':') && take(text, chunk.id.bytes) && take(text, chunk.checksum.bytes) &&
                     take(text, ')');
  chunk.size = static_cast<uint32_t>(size_bytes);
  return taken && chunk.size == size_bytes;
}

// nullopt: not what extents_to_text wrote. Pieces of one chunk share it.
std::optional<DraftLayout::Extents> extents_from_text(std::string_view text) {
  DraftLayout::Extents extents;
  DraftLayout::SentChunk last;
  while (!text.empty()) {
    uint64_t begin = 0;
    DraftLayout::Extent extent;
    if (!take(text, begin) || !take(text, '-') || !take(text, extent.end) || text.empty()) return std::nullopt;
    extent.staged = take(text, 's');
    if (take(text, 'c')) {
      ChunkRef chunk;
      if (!take(text, chunk)) return std::nullopt;
      if (!last || *last != chunk) last = std::make_shared<const ChunkRef>(chunk);
      extent.chunk = last;
    } else if (!extent.staged && !take(text, 'z')) {
      return std::nullopt;
    }
    if (!take(text, ',')) return std::nullopt;
    extents.emplace_hint(extents.end(), begin, extent);
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
    if (extent.chunk && (extent.chunk->offset > begin || extent.chunk->end() < extent.end)) return false;
    end = extent.end;
  }
  const uint64_t base_bytes = base ? base->size_bytes : 0;
  return end <= layout.size_bytes() && layout.base_limit() <= std::min(base_bytes, layout.size_bytes());
}

}  // namespace

std::string describe_draft(const DraftDescription& description, uint32_t chunk_size) {
  nlohmann::json json;
  json["format"] = description.layout.sent_bytes() > 0 ? kFormat : kFormatNothingSent;
  json["store_id"] = description.store_id;
  json["chunk_size"] = chunk_size;
  json["identity"] = description.identity;
  json["user"] = description.user;
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
    description.user = json.value("user", uint32_t{0});
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
