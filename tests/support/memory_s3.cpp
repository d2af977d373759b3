#include "tests/support/memory_s3.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>

namespace cairn {
namespace {

constexpr std::string_view kXml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const char* const hex = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(hex, hex + 2, byte, 16).ptr == hex + 2) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-_.~/").find(c) != std::string_view::npos;
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

struct Escape {
  std::string_view plain, escaped;
};
constexpr Escape kEscapes[] = {{"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&apos;"}, {"&", "&amp;"}};

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const auto* const found = std::find_if(std::begin(kEscapes), std::end(kEscapes),
                                           [c](const Escape& escape) { return escape.plain.front() == c; });
    escaped += found == std::end(kEscapes) ? std::string_view(&c, 1) : found->escaped;
  }
  return escaped;
}

std::string xml_unescaped(std::string text) {
  for (const auto& [plain, escaped] : kEscapes) {
    for (size_t at = 0; (at = text.find(escaped, at)) != std::string::npos; ++at)
      text.replace(at, escaped.size(), plain);
  }
  return text;
}

// What stands between each <Key> and </Key>.
std::vector<std::string> keys_of(std::string_view xml) {
  constexpr std::string_view kOpen = "<Key>", kClose = "</Key>";
  std::vector<std::string> keys;
  for (size_t at = 0; (at = xml.find(kOpen, at)) != std::string_view::npos;) {
    at += kOpen.size();
    const size_t end = std::min(xml.find(kClose, at), xml.size());
    keys.push_back(xml_unescaped(std::string(xml.substr(at, end - at))));
    at = end;
  }
  return keys;
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Span {
  uint64_t begin, end;
};

// Of "bytes=1-3", "bytes=1-" and "bytes=-3". nullopt: not a range, so that it does not count; an empty Span: no byte
// of it is there.
std::optional<Span> span_of(std::string_view range, uint64_t size) {
  if (!range.starts_with("bytes=")) return std::nullopt;
  range.remove_prefix(6);
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = number(range.substr(0, dash));
  const auto last = number(range.substr(dash + 1));
  if (!first && !last) return std::nullopt;
  if (!first) return Span{size - std::min(*last, size), size};
  if (last && *last < *first) return std::nullopt;
  return Span{std::min(*first, size), last ? std::min(*last + 1, size) : size};
}

std::string etag_of(std::string_view bytes) { return fmt::format("\"{:032x}\"", std::hash<std::string_view>()(bytes)); }

}  // namespace

HttpReply MemoryS3::handle(const SeenRequest& request, std::string_view body) {
  const std::string_view target = request.target;
  const size_t question = std::min(target.find('?'), target.size());
  Query query;
  for (std::string_view rest = target.substr(std::min(question + 1, target.size())); !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    const size_t equals = std::min(pair.find('='), pair.size());
    query[percent_decoded(pair.substr(0, equals))] = percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
  }
  const std::string path = percent_decoded(target.substr(0, question));
  const size_t slash = std::min(path.find('/', 1), path.size());
  if (path.substr(0, slash) != "/" + bucket_) return s3_error(404, "NoSuchBucket");
  const MutexLock lock(mutex_);
  if (slash + 1 >= path.size()) return on_bucket(request, query, body);
  return on_object(request, path.substr(slash + 1), body);
}

HttpReply MemoryS3::on_bucket(const SeenRequest& request, const Query& query, std::string_view body) {
  if (request.method == "HEAD") return {};
  if (request.method == "GET" && query.contains("list-type")) return list(query);
  if (request.method == "POST" && query.contains("delete")) return remove_many(request, body);
  return s3_error(501, "NotImplemented");
}

HttpReply MemoryS3::on_object(const SeenRequest& request, const std::string& key, std::string_view body) {
  if (request.method == "GET" || request.method == "HEAD") return read(request, key);
  if (request.method == "PUT") return write(request, key, body);
  if (request.method != "DELETE") return s3_error(405, "MethodNotAllowed");
  objects_.erase(key);
  return {.status = 204};
}

HttpReply MemoryS3::read(const SeenRequest& request, const std::string& key) const {
  const auto found = objects_.find(key);
  if (found == objects_.end()) return s3_error(404, "NoSuchKey");
  const std::string& bytes = found->second;
  HttpReply reply{.headers = {{"ETag", etag_of(bytes)}, {"Accept-Ranges", "bytes"}}};
  if (const auto at = written_.find(key); at != written_.end()) {
    reply.headers.push_back({"Last-Modified", fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(at->second))});
  }
  const auto range = request.header("range");
  const auto span = range ? span_of(*range, bytes.size()) : std::nullopt;
  if (!span) {
    reply.body = bytes;
    return reply;
  }
  if (span->begin == span->end) {
    HttpReply refused = s3_error(416, "InvalidRange");
    refused.headers.push_back({"Content-Range", fmt::format("bytes */{}", bytes.size())});
    return refused;
  }
  reply.status = 206;
  reply.headers.push_back({"Content-Range", fmt::format("bytes {}-{}/{}", span->begin, span->end - 1, bytes.size())});
  reply.body = bytes.substr(span->begin, span->end - span->begin);
  return reply;
}

HttpReply MemoryS3::write(const SeenRequest& request, const std::string& key, std::string_view body) {
  if (honours_conditions_ && request.header("if-none-match") == "*" && objects_.contains(key)) {
    return s3_error(412, "PreconditionFailed");
  }
  objects_[key] = body;
  written_[key] = std::time(nullptr);
  return {.headers = {{"ETag", etag_of(body)}}};
}

HttpReply MemoryS3::list(const Query& query) const {
  const auto value = [&](std::string_view name) {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  };
  const auto limit = query.contains("max-keys") ? number(value("max-keys")) : std::optional<size_t>(page_limit_);
  if (!limit) return s3_error(400, "InvalidArgument");
  const auto encoded = value("encoding-type") == "url" ? percent_encoded : xml_escaped;
  const std::string prefix = value("prefix");
  const std::string after = std::max(value("start-after"), value("continuation-token"));
  std::string contents, last;
  size_t count = 0;
  auto at = after < prefix ? objects_.lower_bound(prefix) : objects_.upper_bound(after);
  for (; at != objects_.end() && at->first.starts_with(prefix) && count < std::min(*limit, page_limit_);
       ++at, ++count) {
    last = at->first;
    contents += fmt::format(
        "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{}</ETag>"
        "<Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
        encoded(last), xml_escaped(etag_of(at->second)), at->second.size());
  }
  const bool more = count > 0 && at != objects_.end() && at->first.starts_with(prefix);
  const std::string token = more ? "<NextContinuationToken>" + xml_escaped(last) + "</NextContinuationToken>" : "";
  return {.headers = {{"Content-Type", "application/xml"}},
          .body = fmt::format("{}<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{}</Name>"
                              "<Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{}</MaxKeys>"
                              "<IsTruncated>{}</IsTruncated>{}{}</ListBucketResult>",
                              kXml, bucket_, encoded(prefix), count, *limit, more, token, contents)};
}

HttpReply MemoryS3::remove_many(const SeenRequest& request, std::string_view body) {
  if (!request.header("content-md5")) return s3_error(400, "InvalidRequest");
  const bool quiet = body.find("<Quiet>true</Quiet>") != std::string_view::npos;
  std::string deleted;
  for (const std::string& key : keys_of(body)) {
    objects_.erase(key);
    if (!quiet) deleted += "<Deleted><Key>" + xml_escaped(key) + "</Key></Deleted>";
  }
  return {.headers = {{"Content-Type", "application/xml"}},
          .body = fmt::format("{}<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</DeleteResult>",
                              kXml, deleted)};
}

void MemoryS3::ignore_conditions() {
  const MutexLock lock(mutex_);
  honours_conditions_ = false;
}

void MemoryS3::limit_pages(size_t keys) {
  const MutexLock lock(mutex_);
  page_limit_ = keys;
}

void MemoryS3::put(const std::string& key, std::string bytes) {
  const MutexLock lock(mutex_);
  objects_[key] = std::move(bytes);
}

std::optional<std::string> MemoryS3::get(const std::string& key) const {
  const MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return std::nullopt;
  return found->second;
}

size_t MemoryS3::size() const {
  const MutexLock lock(mutex_);
  return objects_.size();
}

}  // namespace cairn
