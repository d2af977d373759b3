#include "remote/s3/s3_location.h"

#include <algorithm>
#include <array>

#include "remote/credentials/aws_host.h"
#include "remote/http/percent_encoding.h"
#include "remote/object_rules.h"
#include "remote/s3/s3_bucket.h"
#include "remote/s3/s3_parameters.h"

namespace cairn {

namespace {

constexpr std::string_view kScheme = "s3://";
constexpr std::string_view kDefaultRegion = "us-east-1";

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// The value of the parameter, else of the first variable that is set, else the empty string.
std::string choose(const S3Parameters& parameters, std::string_view name, const EnvironmentVariable& variable,
                   std::initializer_list<const char*> variables) {
  const auto given = parameters.find(name);
  if (given != parameters.end()) return given->second;
  for (const char* one : variables) {
    if (auto value = variable(one); value && !value->empty()) return *value;
  }
  return {};
}

bool is_region(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
}

// "host", "host:9000", "[::1]:80".
bool is_authority(std::string_view text) {
  const bool is_ipv6 = text.starts_with('[');
  const size_t end = is_ipv6 ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos) return false;
  const std::string_view name = is_ipv6 ? text.substr(1, end - 1) : text.substr(0, end);
  const std::string_view port = text.substr(is_ipv6 ? end + 1 : end);
  constexpr std::string_view kAddress = "0123456789ABCDEFabcdef:.";
  const bool good_name =
      is_ipv6
          ? name.find_first_not_of(kAddress) == std::string_view::npos
          : std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
  const bool good_port =
      port.empty() || (port.size() > 1 && port[0] == ':' && port.find_first_not_of("0123456789", 1) == port.npos);
  return !name.empty() && good_name && good_port;
}

// "/storage/v1/s3": what every reader understands alike, whether or not it decodes or normalises.
bool is_plain_path(std::string_view path) {
  const auto allowed = [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
  };
  if (!std::ranges::all_of(path, allowed)) return false;
  const std::string bounded = fmt::format("{}/", path);
  return bounded.find("//") == std::string::npos && bounded.find("/./") == std::string::npos &&
         bounded.find("/../") == std::string::npos;
}

Result<void> take_endpoint(std::string_view endpoint, S3Location& location) {
  const size_t after_scheme = endpoint.find("://");
  location.scheme = std::string(endpoint.substr(0, after_scheme));
  if (after_scheme == std::string_view::npos || (location.scheme != "http" && location.scheme != "https")) {
    return fail(Errc::invalid_argument, "endpoint: write it as https://host or http://host:port");
  }
  std::string_view rest = endpoint.substr(after_scheme + 3);
  if (rest.find('@') != std::string_view::npos) {
    return fail(Errc::invalid_argument, "endpoint: credentials do not belong into a URL; use a profile");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  std::string_view host = rest.substr(0, rest.find('/'));
  const std::string_view path = rest.substr(host.size());
  if (!is_authority(host) || rest.find_first_of("?#") != std::string_view::npos) {
    return fail(Errc::invalid_argument, "endpoint: only scheme, host, port and path, as in https://host:port/path");
  }
  if (!path.empty() && !is_plain_path(path)) {
    return fail(
        Errc::invalid_argument,
        "endpoint: its path may have letters, digits, '-', '_', '.' and '~' between single '/', and neither '.' "
        "nor '..' alone");
  }
  // As curl writes the Host header, which is signed.
  const std::string_view own_port = location.scheme == "https" ? ":443" : ":80";
  if (host.ends_with(own_port)) host.remove_suffix(own_port.size());
  location.host = std::string(host);
  location.base_path = std::string(path);
  return {};
}

// "" and "a//b" would make keys that differ from what other tools show; a key is at most kMaxKeyBytes with the prefix.
Result<std::string> parse_prefix(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return std::string();
  if (auto good = check_key(path); !good) return fail(good.error().in("prefix"));
  constexpr size_t kLongestPrefix = kMaxKeyBytes / 2;
  if (path.size() >= kLongestPrefix) {
    return fail(Errc::invalid_argument, "prefix: at most {} bytes", kLongestPrefix - 1);
  }
  return std::string(path) + "/";
}

// A host's name without the port, and whether it is an address that no bucket's name can stand in front of.
std::string_view name_of(std::string_view host) {
  return host.substr(0, host.starts_with('[') ? host.find(']') + 1 : host.find(':'));
}

bool is_address(std::string_view host) {
  const std::string_view name = name_of(host);
  return name.starts_with('[') || name.find_first_not_of("0123456789.") == std::string_view::npos;
}

Result<void> take_style(const S3Parameters& parameters, const S3Bucket& bucket, bool is_aws, S3Location& location) {
  constexpr std::array<std::string_view, 2> kStyles = {"path", "virtual"};
  const auto style = parse_choice(parameters, "style", kStyles);
  if (!style) return fail(style.error());
  if (bucket.has_tenant() && is_aws) {
    return fail(Errc::invalid_argument, "AWS has no tenants: write the bucket's name alone, or give an endpoint=");
  }
  if (bucket.has_tenant() && *style == "virtual") {
    return fail(Errc::invalid_argument, "style: a tenant cannot be part of a host's name: use style=path");
  }
  if (*style == "virtual" && is_address(location.host)) {
    return fail(Errc::invalid_argument, "style: no bucket can stand in front of an address: use style=path");
  }
  // A certificate for *.host does not cover a bucket with dots.
  const bool default_is_path = !is_aws || location.bucket.find('.') != std::string::npos;
  location.path_style = style->empty() ? default_is_path : *style == "path";
  return {};
}

// A signature hides the key, but neither the bytes nor a session's token.
Result<void> check_secrecy(const S3Location& location) {
  if (!location.is_exposed() || location.anonymous || location.insecure) return {};
  return fail(Errc::invalid_argument,
              "endpoint: over http:// everybody on the way reads and changes what is sent: https://, or insecure=true");
}

// An ARN says where its access point is; nothing else may say otherwise, and the environment does not count.
Result<void> take_access_point(const S3Parameters& parameters, const S3Bucket& bucket, S3Location& location) {
  if (parameters.contains("endpoint")) {
    return fail(Errc::invalid_argument, "endpoint: an access point's ARN says where it is, at AWS: leave it away");
  }
  const auto region = parameters.find("region");
  if (region != parameters.end() && region->second != bucket.region) {
    return fail(Errc::invalid_argument, "region: the access point's ARN says {}: leave it away", bucket.region);
  }
  const auto style = parameters.find("style");
  if (style != parameters.end() && style->second != "virtual") {
    return fail(Errc::invalid_argument, "style: an access point is part of its host's name: leave it away");
  }
  location.access_point = bucket.arn;
  location.region = bucket.region;
  location.host = aws_host("s3-accesspoint", bucket.region);
  return {};
}

Result<void> take_bucket(const S3Parameters& parameters, const S3Bucket& bucket, const EnvironmentVariable& variable,
                         S3Location& location) {
  location.bucket = bucket.name;
  if (!bucket.arn.empty()) return take_access_point(parameters, bucket, location);
  location.region = choose(parameters, "region", variable, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (location.region.empty()) location.region = kDefaultRegion;
  if (!is_region(location.region)) return fail(Errc::invalid_argument, "region: not a region's name");
  const std::string endpoint = choose(parameters, "endpoint", variable, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  const std::string aws = "https://" + aws_host("s3", location.region);
  if (auto taken = take_endpoint(endpoint.empty() ? aws : endpoint, location); !taken) return taken;
  return take_style(parameters, bucket, endpoint.empty(), location);
}

Result<void> take_parameters(std::string_view query, const S3Bucket& bucket, const EnvironmentVariable& variable,
                             S3Location& location) {
  const auto parameters = parse_s3_parameters(query);
  if (!parameters) return fail(parameters.error());
  if (auto taken = take_bucket(*parameters, bucket, variable, location); !taken) return taken;
  const auto anonymous = parse_truth(*parameters, "anonymous");
  if (!anonymous) return fail(anonymous.error());
  location.anonymous = *anonymous;
  const auto insecure = parse_truth(*parameters, "insecure");
  if (!insecure) return fail(insecure.error());
  location.insecure = *insecure;
  if (auto safe = check_secrecy(location); !safe) return safe;
  auto terms = parse_s3_terms(*parameters, location.anonymous);
  if (!terms) return fail(std::move(terms).error());
  location.terms = std::move(*terms);
  location.profile = choose(*parameters, "profile", variable, {});
  location.ca_file = choose(*parameters, "ca", variable, {"AWS_CA_BUNDLE"});
  return {};
}

}  // namespace

// "localhost", "127.0.0.1:9000", "[::1]:80".
bool S3Location::is_local() const {
  const std::string_view name = name_of(host);
  return name == "localhost" || name == "[::1]" || (is_address(name) && name.starts_with("127."));
}

std::string S3Location::path_of(const std::string& key) const {
  return fmt::format("{}{}{}/{}", base_path, path_style ? "/" : "", path_style ? bucket : "", key);
}

std::string S3Location::host_at(const std::string& endpoint_host) const {
  return path_style ? endpoint_host : bucket + "." + endpoint_host;
}

std::string S3Location::url() const {
  const bool is_bucket = access_point.empty();
  std::string text = fmt::format("{}{}{}?", kScheme, is_bucket ? bucket : access_point,
                                 prefix.empty() ? "" : "/" + prefix.substr(0, prefix.size() - 1));
  if (is_bucket) text += fmt::format("endpoint={}://{}{}&", scheme, host, base_path);
  text += fmt::format("region={}&style={}", region, path_style ? "path" : "virtual");
  if (anonymous) text += "&anonymous=true";
  if (insecure) text += "&insecure=true";
  if (!profile.empty()) text += "&profile=" + percent_encode(profile, true);
  if (!ca_file.empty()) text += "&ca=" + percent_encode(ca_file, true);
  return text + terms.parameters();
}

Result<S3Location> parse_s3_url(const std::string& url, const EnvironmentVariable& variable) {
  const auto refuse = [&url](const Error& why) {
    return fail(why.in(fmt::format("store '{}'", url.substr(0, url.find('?')))));
  };
  if (!url.starts_with(kScheme)) return fail(Errc::invalid_argument, "write it as s3://bucket/prefix?endpoint=…");
  std::string_view rest = std::string_view(url).substr(kScheme.size());
  const std::string_view place = rest.substr(0, rest.find('?'));
  rest.remove_prefix(std::min(rest.size(), place.size() + 1));
  const auto bucket = parse_s3_bucket(place);
  if (!bucket) return refuse(bucket.error());
  S3Location location;
  auto prefix = parse_prefix(bucket->prefix);
  if (!prefix) return refuse(prefix.error());
  location.prefix = std::move(*prefix);
  if (auto taken = take_parameters(rest, *bucket, variable, location); !taken) return refuse(taken.error());
  return location;
}

}  // namespace cairn
