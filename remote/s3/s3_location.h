// Where an S3-style store is: "s3://bucket/prefix?endpoint=…&region=…", taken apart.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "remote/s3/s3_terms.h"

namespace cairn {

struct S3Location {
  std::string bucket;            // "models", or "tenant:models" in path style; of an access point "NAME-ACCOUNT"
  std::string access_point;      // its ARN; empty: a bucket
  std::string prefix;            // "" or "a/b/": what stands in front of every key
  std::string scheme = "https";  // or "http"
  std::string host;              // of the endpoint, with its port if it is not the scheme's own
  std::string base_path;         // of the endpoint: "" or "/storage/v1/s3", in front of bucket and key
  std::string region;
  bool path_style = false;  // https://host/bucket/key; else https://bucket.host/key
  bool anonymous = false;   // requests are not signed
  bool insecure = false;    // they may be though everybody on their way can read them
  std::string profile;      // of the shared credentials; empty: AWS_PROFILE or "default"
  std::string ca_file;      // PEM; empty: the system's certificates
  S3Terms terms;

  // The path of a request for that key (the bucket itself if it is empty), not encoded; and whom it is sent to, where
  // `endpoint_host` is the endpoint's name.
  [[nodiscard]] std::string path_of(const std::string& key) const;
  [[nodiscard]] std::string host_at(const std::string& endpoint_host) const;

  // Whether the endpoint is this machine.
  [[nodiscard]] bool is_local() const;
  // Whether everybody on the way to the endpoint can read and change what is sent.
  [[nodiscard]] bool is_exposed() const { return scheme == "http" && !is_local(); }
  // The URL that parses to this, with everything in it that is not the bare default. No part is secret.
  [[nodiscard]] std::string url() const;
};

// A variable of the environment, or nullopt: std::getenv, or a test's.
using EnvironmentVariable = std::function<std::optional<std::string>(const std::string& name)>;

// Parameters, percent-decoded: endpoint (URL of scheme, host and perhaps a path), region, style (path or virtual),
// profile, anonymous and insecure (true or false), ca (a file), and those of S3Terms. What is not given comes from the
// environment: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL; AWS_REGION, AWS_DEFAULT_REGION; AWS_CA_BUNDLE. Else: AWS's own
// endpoint of the region, us-east-1, virtual-host style for AWS and path style elsewhere. An access point's ARN says by
// itself where it is, whatever the environment. Failures: invalid_argument, which says what to write; unsupported.
Result<S3Location> parse_s3_url(const std::string& url, const EnvironmentVariable& variable);

}  // namespace cairn
