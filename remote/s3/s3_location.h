// Where an S3-style store is: "s3://bucket/prefix?endpoint=…&region=…", taken apart.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace cairn {

struct S3Location {
  std::string bucket;
  std::string prefix;            // "" or "a/b/": what stands in front of every key
  std::string scheme = "https";  // or "http"
  std::string host;              // of the endpoint, with its port if it is not the scheme's own
  std::string region;
  bool path_style = false;  // https://host/bucket/key; else https://bucket.host/key
  bool anonymous = false;   // requests are not signed
  bool insecure = false;    // they may be though everybody on their way can read them
  std::string profile;      // of the shared credentials; empty: AWS_PROFILE or "default"
  std::string ca_file;      // PEM; empty: the system's certificates

  // The URL that parses to this, with everything in it that is not the bare default. No part is secret.
  [[nodiscard]] std::string url() const;
};

// A variable of the environment, or nullopt: std::getenv, or a test's.
using EnvironmentVariable = std::function<std::optional<std::string>(const std::string& name)>;

// Parameters, percent-decoded: endpoint (URL of scheme and host), region, style (path or virtual), profile, anonymous
// and insecure (true or false), ca (a file). What is not given comes from the environment: AWS_ENDPOINT_URL_S3,
// AWS_ENDPOINT_URL; AWS_REGION, AWS_DEFAULT_REGION; AWS_CA_BUNDLE. Else: AWS's own endpoint of the region, us-east-1,
// virtual-host style for AWS and path style elsewhere. Failures: invalid_argument, which says what to write.
Result<S3Location> parse_s3_url(const std::string& url, const EnvironmentVariable& variable);

}  // namespace cairn
