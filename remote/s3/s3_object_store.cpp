#include "remote/s3/s3_object_store.h"

#include <algorithm>
#include <charconv>

#include "remote/object_rules.h"
#include "remote/s3/content_md5.h"

namespace cairn {

namespace {

constexpr size_t kLargestPage = 1000;      // of ListObjectsV2
constexpr size_t kLargestDeletion = 1000;  // of DeleteObjects

tl::unexpected<Error> refused(const HttpAnswer& answer, std::string_view what) {
  return fail(error_of(answer, parse_complaint(answer)).in(what));
}

// "bytes=0-9", "bytes=10-"; empty: all of it. No number is larger than an object may be: endpoints overflow.
std::string range_header(const ByteRange& range) {
  if (range.offset == 0 && !range.length) return {};
  const uint64_t begin = std::min(range.offset, kMaxObjectBytes);
  if (!range.length || *range.length > kMaxObjectBytes - begin) return fmt::format("bytes={}-", begin);
  return fmt::format("bytes={}-{}", begin, begin + *range.length - 1);
}

// The part of an answer that was asked for: endpoints may ignore the range and send everything.
Result<Buffer> in_range(HttpAnswer answer, const ByteRange& range, std::string_view what) {
  if (answer.status == 206) {
    const auto content_range = answer.header("content-range").value_or("");
    const bool is_ours = content_range.starts_with(fmt::format("bytes {}-", range.offset));
    if (is_ours && (!range.length || answer.body.size() <= *range.length)) return std::move(answer.body);
    return fail(Errc::unavailable, "{}: another range was sent than asked for ('{}')", what,
                content_range.substr(0, 80));
  }
  if (range.offset == 0 && !range.length) return std::move(answer.body);
  if (range.offset >= answer.body.size()) return Buffer();
  const ByteView rest = answer.body.view().subspan(range.offset);
  return Buffer::copy_of(rest.first(std::min<uint64_t>(rest.size(), range.length.value_or(rest.size()))));
}

}  // namespace

ObjectWay S3ObjectStore::way() const {
  const S3Location& location = client_.location();
  if (location.is_exposed()) return {false, "http:// from another machine"};
  return {true, location.scheme == "https" ? "TLS" : "this machine alone"};
}

Result<void> S3ObjectStore::check_writable() const {
  if (read_only_) return fail(Errc::read_only, "opened for reading only");
  return {};
}

Result<Buffer> S3ObjectStore::get(const std::string& key, ByteRange range, const RequestContext& context) {
  if (auto valid = check_key(key); !valid) return fail(std::move(valid).error());
  if (range.length == 0U) {
    if (auto there = head(key, context); !there) return fail(std::move(there).error());
    return Buffer();
  }
  const std::string what = "GET " + key;
  S3Request request{.method = "GET", .key = full_key(key), .max_answer_bytes = range.most_bytes, .skew = range.skew};
  if (const std::string header = range_header(range); !header.empty()) request.headers.push_back({"Range", header});
  auto answer = client_.ask(request, context);
  if (!answer) return fail(answer.error().in(what));
  if (answer->status == 416) return Buffer();
  if (!answer->is_success()) return refused(*answer, what);
  return in_range(std::move(*answer), range, what);
}

Result<void> S3ObjectStore::put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) {
  if (auto valid = check_put(key, bytes); !valid) return valid;
  if (auto writable = check_writable(); !writable) return fail(writable.error().in("put " + key));
  const S3Terms& terms = client_.location().terms;
  const std::string asked = terms.parameters();  // "&sse=…"
  const std::string what = fmt::format("PUT {}{}{}", key, asked.empty() ? "" : " with ", asked);
  std::vector<HttpHeader> headers = terms.object_headers();
  headers.push_back({"If-None-Match", "*"});
  headers.push_back({"Content-Type", "application/octet-stream"});
  const auto answer =
      client_.ask({.method = "PUT", .key = full_key(key), .headers = std::move(headers), .body = bytes}, context);
  if (!answer) return fail(answer.error().in(what));
  if (!answer->is_success()) return refused(*answer, what);
  if (auto kept = terms.check_kept(*answer); !kept) return fail(kept.error().in(what));
  return {};
}

Result<ObjectInfo> S3ObjectStore::head(const std::string& key, const RequestContext& context) {
  if (auto valid = check_key(key); !valid) return fail(std::move(valid).error());
  const std::string what = "HEAD " + key;
  const auto answer = client_.ask({.method = "HEAD", .key = full_key(key)}, context);
  if (!answer) return fail(answer.error().in(what));
  if (!answer->is_success()) return refused(*answer, what);
  const std::string_view length = answer->header("content-length").value_or("");
  ObjectInfo info{key, 0};
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), info.size_bytes);
  if (error != std::errc()) return fail(Errc::unavailable, "{}: the answer has no Content-Length", what);
  if (const auto modified = answer->header("last-modified")) info.created = parse_http_date(*modified);
  return info;
}

Result<ListPage> S3ObjectStore::list(const std::string& prefix, const std::string& start_after, size_t limit,
                                     const RequestContext& context) {
  if (auto valid = check_list(prefix, limit); !valid) return fail(std::move(valid).error());
  const std::string what = fmt::format("list '{}'", prefix);
  QueryParameters query = {{"list-type", "2"},
                           {"prefix", full_key(prefix)},
                           {"max-keys", std::to_string(std::min(limit, kLargestPage))},
                           {"encoding-type", "url"}};
  if (!start_after.empty()) query.emplace_back("start-after", full_key(start_after));
  while (true) {
    const auto answer = client_.ask({.method = "GET", .query = query}, context);
    if (!answer) return fail(answer.error().in(what));
    if (!answer->is_success()) return refused(*answer, what);
    auto listing = parse_listing(answer->body.view());
    if (!listing) return fail(listing.error().in(what));
    if (!listing->page.objects.empty() || !listing->page.more) return without_prefix(std::move(listing->page));
    // A page of nothing but removed objects' traces. The caller goes on by key, so it needs one.
    if (listing->continuation.empty()) return fail(Errc::unavailable, "{}: an empty page that leads nowhere", what);
    std::erase_if(query, [](const auto& one) { return one.first == "continuation-token"; });
    query.emplace_back("continuation-token", listing->continuation);
  }
}

Result<ListPage> S3ObjectStore::without_prefix(ListPage page) const {
  const std::string& prefix = client_.location().prefix;
  for (ObjectInfo& object : page.objects) {
    if (!object.key.starts_with(prefix)) {
      return fail(Errc::unavailable, "the listing has a key that was not asked for: '{}'", object.key.substr(0, 80));
    }
    object.key.erase(0, prefix.size());
  }
  if (!std::ranges::is_sorted(page.objects, {}, &ObjectInfo::key)) {
    return fail(Errc::unsupported,
                "the endpoint's listings are not in order (S3 directory buckets cannot hold a store)");
  }
  return page;
}

Result<void> S3ObjectStore::remove(const std::vector<std::string>& keys, const RequestContext& context) {
  if (auto valid = check_keys(keys); !valid) return valid;
  if (auto writable = check_writable(); !writable) return fail(writable.error().in(what_is_removed(keys)));
  if (keys.size() == 1) return remove_one(keys.front(), context);
  for (std::span<const std::string> rest = keys; !rest.empty();) {
    const auto batch = rest.first(std::min(rest.size(), kLargestDeletion));
    if (auto removed = remove_many(batch, context); !removed) return removed;
    rest = rest.subspan(batch.size());
  }
  return {};
}

Result<void> S3ObjectStore::remove_one(const std::string& key, const RequestContext& context) {
  const std::string what = "DELETE " + key;
  const auto answer = client_.ask({.method = "DELETE", .key = full_key(key)}, context);
  if (!answer) return fail(answer.error().in(what));
  if (answer->is_success()) return {};
  const Error error = error_of(*answer, parse_complaint(*answer));
  if (error.code() == Errc::not_found) return {};
  return fail(error.in(what));
}

Result<void> S3ObjectStore::remove_many(std::span<const std::string> keys, const RequestContext& context) {
  const std::string what = fmt::format("delete {} objects", keys.size());
  std::vector<std::string> full;
  full.reserve(keys.size());
  for (const std::string& key : keys) full.push_back(full_key(key));
  const std::string body = deletion_request(full);
  const auto answer =
      client_.ask({.method = "POST",
                   .query = {{"delete", ""}},
                   .headers = {{"Content-MD5", content_md5(as_bytes(body))}, {"Content-Type", "application/xml"}},
                   .body = as_bytes(body)},
                  context);
  if (!answer) return fail(answer.error().in(what));
  if (!answer->is_success()) return refused(*answer, what);
  if (auto removed = parse_deletion(answer->body.view()); !removed) return fail(removed.error().in(what));
  return {};
}

}  // namespace cairn
