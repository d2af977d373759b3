#include "remote/s3/s3_bucket.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"

namespace cairn {

namespace {

constexpr std::string_view kArn = "arn:";
constexpr std::string_view kAccessPoint = "accesspoint/";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_alphanumeric(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c); }

bool is_bucket_name(std::string_view name) {
  const auto allowed = [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; };
  return name.size() >= 3 && name.size() <= 63 && name.front() != '.' && std::ranges::all_of(name, allowed);
}

bool is_tenant(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '_'; });
}

bool is_access_point_name(std::string_view name) {
  const auto allowed = [](char c) { return is_lower(c) || is_digit(c) || c == '-'; };
  return name.size() >= 3 && name.size() <= 50 && is_host_label(name) && std::ranges::all_of(name, allowed);
}

bool is_account(std::string_view text) { return text.size() == 12 && std::ranges::all_of(text, is_digit); }

// The text up to `separator`, which is taken from `rest` with it.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::string_view taken = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), taken.size() + 1));
  return taken;
}

tl::unexpected<Error> malformed_arn() {
  return fail(Errc::invalid_argument,
              "an access point is written as arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME, then /PREFIX");
}

Result<void> check_kind(std::string_view partition, std::string_view service, std::string_view region) {
  constexpr std::array<std::string_view, 3> kPartitions = {"aws", "aws-cn", "aws-us-gov"};
  if (std::ranges::find(kPartitions, partition) == kPartitions.end()) return malformed_arn();
  if (service == "s3-outposts") {
    return fail(Errc::unsupported,
                "S3 on Outposts is a service of its own, which this client does not speak: use a bucket of a region");
  }
  if (service == "s3-object-lambda") {
    return fail(Errc::unsupported, "an Object Lambda access point changes what is read: name the one beneath it");
  }
  if (service != "s3") return malformed_arn();
  if (region.empty()) {
    return fail(
        Errc::unsupported,
        "a multi-Region access point wants signatures of another kind (SigV4A), and its buckets may each have a "
        "first writer: name an access point of one region");
  }
  return {};
}

Result<S3Bucket> parse_access_point(std::string_view place) {
  std::string_view rest = place.substr(kArn.size());
  const std::string_view partition = take_until(rest, ':');
  const std::string_view service = take_until(rest, ':');
  const std::string_view region = take_until(rest, ':');
  const std::string_view account = take_until(rest, ':');
  if (auto known = check_kind(partition, service, region); !known) return fail(std::move(known).error());
  if (!is_host_label(region) || !is_account(account) || !rest.starts_with(kAccessPoint)) return malformed_arn();
  rest.remove_prefix(kAccessPoint.size());
  const std::string_view name = take_until(rest, '/');
  if (!is_access_point_name(name)) return malformed_arn();
  return S3Bucket{
      .name = fmt::format("{}-{}", name, account),
      .arn = fmt::format("{}{}:{}:{}:{}:{}{}", kArn, partition, service, region, account, kAccessPoint, name),
      .region = std::string(region),
      .prefix = std::string(rest)};
}

}  // namespace

Result<S3Bucket> parse_s3_bucket(std::string_view place) {
  if (place.starts_with(kArn)) return parse_access_point(place);
  std::string_view rest = place;
  const std::string_view bucket = take_until(rest, '/');
  const size_t colon = bucket.find(':');
  const std::string_view name = colon == std::string_view::npos ? bucket : bucket.substr(colon + 1);
  if (colon != std::string_view::npos && !is_tenant(bucket.substr(0, colon))) {
    return fail(Errc::invalid_argument,
                "a tenant's bucket is written as tenant:bucket; a tenant's name has letters, "
                "digits and '_'");
  }
  if (!is_bucket_name(name)) {
    return fail(Errc::invalid_argument, "a bucket's name has 3 to 63 letters, digits, '-', '.' or '_'");
  }
  return S3Bucket{.name = std::string(bucket), .arn = {}, .region = {}, .prefix = std::string(rest)};
}

}  // namespace cairn
