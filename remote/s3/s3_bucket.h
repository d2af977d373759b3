// What stands in front of the prefix in an "s3://" URL: a bucket, a tenant's bucket, or an access point.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn {

struct S3Bucket {
  std::string name;    // "models", "team:models"; of an access point "NAME-ACCOUNT": the first part of its host's name
  std::string arn;     // of an access point, else empty
  std::string region;  // the one in the ARN
  std::string prefix;  // what follows, without the "/" between

  // A bucket in a tenant's name space, as Ceph's gateway has them: "team:models".
  [[nodiscard]] bool has_tenant() const { return arn.empty() && name.find(':') != std::string::npos; }
};

// "models/a/b", "team:models/a", "arn:aws:s3:eu-west-1:123456789012:accesspoint/training/a".
// Failures: invalid_argument, which says what to write; unsupported for ARNs of what this client cannot ask.
Result<S3Bucket> parse_s3_bucket(std::string_view place);

}  // namespace cairn
