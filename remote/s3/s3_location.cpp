#include "remote/s3/s3_location.h"

#include <algorithm>
#include <map>

#include "remote/http/percent_encoding.h"
#include "remote/object_rules.h"

namespace cairn {

namespace {

constexpr std::string_view kScheme = "s3://";
constexpr std::string_view kDefaultRegion = "us-east-1";
constexpr std::string_view kParameters = "endpoint, region, style, profile, anonymous, insecure, ca";

using Parameters = std::map<std::string, std::string, std::less<>>;

Result<Parameters> parse_parameters(std::string_view query) {
  Parameters parameters;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return fail(Errc::invalid_argument, "parameters are name=value");
    const std::string name(pair.substr(0, equals));
    auto value = percent_decode(pair.substr(equals + 1));
    if (!value) return fail(Errc::invalid_argument, "{}: two hexadecimal digits must follow '%', as in %2F", name);
    constexpr std::array kNames = {"endpoint", "region", "style", "profile", "anonymous", "insecure", "ca"};
    if (std::ranges::find(kNames, name) == kNames.end()) {
      return fail(Errc::invalid_argument, "no parameter '{}'; there are: {}", name, kParameters);
    }
    if (!parameters.emplace(name, std::move(*value)).second) {
      return fail(Errc::invalid_argument, "'{}' is given twice", name);
    }
  }
  return parameters;
}

// The value of the parameter, else of the first variable that is set, else the empty string.
std::string choose(const Parameters& parameters, std::string_view name, const EnvironmentVariable& variable,
                   std::initializer_list<const char*> variables) {
  const auto given = parameters.find(name);
  if (given != parameters.end()) return given->second;
  for (const char* one : variables) {
    if (auto value = variable(one); value && !value->empty()) return *value;
  }
  return {};
}

bool is_bucket_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  };
  return name.size() >= 3 && name.size() <= 63 && name.front() != '.' && std::ranges::all_of(name, allowed);
}

bool is_region(std::string_view name) {
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

Result<void> take_endpoint(std::string_view endpoint, S3Location& location) {
  const size_t after_scheme = endpoint.find("://");
  location.scheme = std::string(endpoint.substr(0, after_scheme));
  if (after_scheme == std::string_view::npos || (location.scheme != "http" && location.scheme != "https")) {
    return fail(Errc::invalid_argument, "endpoint: write it as https://host or http://host:port");
  }
  std::string_view host = endpoint.substr(after_scheme + 3);
  if (host.ends_with('/')) host.remove_suffix(1);
  if (host.find('@') != std::string_view::npos) {
    return fail(Errc::invalid_argument, "endpoint: credentials do not belong into a URL; use a profile");
  }
  if (host.empty() || host.find_first_of("/?# \t") != std::string_view::npos) {
    return fail(Errc::invalid_argument, "endpoint: only scheme, host and port, as in https://host:port");
  }
  // As curl writes the Host header, which is signed.
  const std::string_view own_port = location.scheme == "https" ? ":443" : ":80";
  if (host.ends_with(own_port)) host.remove_suffix(own_port.size());
  location.host = std::string(host);
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

Result<bool> parse_truth(const Parameters& parameters, std::string_view name) {
  const auto given = parameters.find(name);
  if (given == parameters.end() || given->second == "false") return false;
  if (given->second == "true") return true;
  return fail(Errc::invalid_argument, "{}: true or false, not '{}'", name, given->second);
}

Result<void> take_style(const Parameters& parameters, bool is_aws, S3Location& location) {
  const auto given = parameters.find("style");
  if (given != parameters.end() && given->second != "path" && given->second != "virtual") {
    return fail(Errc::invalid_argument, "style: path or virtual, not '{}'", given->second);
  }
  // A certificate for *.host does not cover a bucket with dots.
  const bool default_is_path = !is_aws || location.bucket.find('.') != std::string::npos;
  location.path_style = given == parameters.end() ? default_is_path : given->second == "path";
  return {};
}

// Of an endpoint on this machine: "localhost", "127.0.0.1:9000", "[::1]:80".
bool is_loopback(std::string_view host) {
  const bool is_ipv6 = host.starts_with('[');
  const std::string_view name = host.substr(0, is_ipv6 ? host.find(']') + 1 : host.find(':'));
  const bool is_dotted = std::ranges::all_of(name, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
  return name == "localhost" || name == "[::1]" || (is_dotted && name.starts_with("127."));
}

// A signature hides the key, but neither the bytes nor a session's token.
Result<void> check_secrecy(const S3Location& location) {
  const bool is_exposed = location.scheme == "http" && !location.anonymous && !is_loopback(location.host);
  if (!is_exposed || location.insecure) return {};
  return fail(Errc::invalid_argument,
              "endpoint: over http:// everybody on the way reads and changes what is sent: https://, or insecure=true");
}

Result<void> take_parameters(std::string_view query, const EnvironmentVariable& variable, S3Location& location) {
  const auto parameters = parse_parameters(query);
  if (!parameters) return fail(parameters.error());
  location.region = choose(*parameters, "region", variable, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (location.region.empty()) location.region = kDefaultRegion;
  if (!is_region(location.region)) return fail(Errc::invalid_argument, "region: not a region's name");
  const std::string endpoint = choose(*parameters, "endpoint", variable, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  const std::string aws = fmt::format("https://s3.{}.amazonaws.com", location.region);
  if (auto taken = take_endpoint(endpoint.empty() ? aws : endpoint, location); !taken) return taken;
  if (auto taken = take_style(*parameters, endpoint.empty(), location); !taken) return taken;
  const auto anonymous = parse_truth(*parameters, "anonymous");
  if (!anonymous) return fail(anonymous.error());
  location.anonymous = *anonymous;
  const auto insecure = parse_truth(*parameters, "insecure");
  if (!insecure) return fail(insecure.error());
  location.insecure = *insecure;
  if (auto safe = check_secrecy(location); !safe) return safe;
  location.profile = choose(*parameters, "profile", variable, {});
  location.ca_file = choose(*parameters, "ca", variable, {"AWS_CA_BUNDLE"});
  return {};
}

}  // namespace

std::string S3Location::url() const {
  std::string text = fmt::format("{}{}{}?endpoint={}://{}&region={}&style={}", kScheme, bucket,
                                 prefix.empty() ? "" : "/" + prefix.substr(0, prefix.size() - 1), scheme, host, region,
                                 path_style ? "path" : "virtual");
  if (anonymous) text += "&anonymous=true";
  if (insecure) text += "&insecure=true";
  if (!profile.empty()) text += "&profile=" + percent_encode(profile, true);
  if (!ca_file.empty()) text += "&ca=" + percent_encode(ca_file, true);
  return text;
}

Result<S3Location> parse_s3_url(const std::string& url, const EnvironmentVariable& variable) {
  const auto refuse = [&url](const Error& why) {
    return fail(why.in(fmt::format("store '{}'", url.substr(0, url.find('?')))));
  };
  if (!url.starts_with(kScheme)) return fail(Errc::invalid_argument, "write it as s3://bucket/prefix?endpoint=…");
  std::string_view rest = std::string_view(url).substr(kScheme.size());
  const std::string_view place = rest.substr(0, rest.find('?'));
  rest.remove_prefix(std::min(rest.size(), place.size() + 1));
  S3Location location;
  location.bucket = std::string(place.substr(0, place.find('/')));
  if (!is_bucket_name(location.bucket)) {
    return refuse({Errc::invalid_argument, "a bucket's name has 3 to 63 letters, digits, '-', '.' or '_'"});
  }
  auto prefix = parse_prefix(place.substr(std::min(place.size(), location.bucket.size() + 1)));
  if (!prefix) return refuse(prefix.error());
  location.prefix = std::move(*prefix);
  if (auto taken = take_parameters(rest, variable, location); !taken) return refuse(taken.error());
  return location;
}

}  // namespace cairn
