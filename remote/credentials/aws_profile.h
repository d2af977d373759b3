// The shared files of the AWS command line, ~/.aws/config and ~/.aws/credentials: INI with profiles.
// Source: "Shared config and credentials files" of the AWS SDKs and Tools Reference Guide.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn {

// Which sections are looked for, and how they are headed: "[profile NAME]" (and "[default]") in the config file,
// "[sso-session NAME]" there, "[NAME]" in the credentials file.
enum class AwsFileKind { config, sso_sessions, credentials };

using AwsSettings = std::map<std::string, std::string>;  // keys in lower case
using AwsProfiles = std::map<std::string, AwsSettings>;  // by name

// The profiles of a file's text. Sections of one name are merged, and of a key's values the last counts. Comments begin
// with # or ;, at the start of a line or after white space. What is indented under a key ("s3 =" has such) belongs to
// it and is passed over. Failures: invalid_argument that names `path` and the line's number, never its text, which may
// be a secret.
Result<AwsProfiles> parse_aws_profiles(std::string_view text, AwsFileKind kind, const std::string& path);

// The same from the file; none if there is no file. Failures: also those of load_settings_file.
Result<AwsProfiles> load_aws_profiles(const std::string& path, AwsFileKind kind);

}  // namespace cairn
