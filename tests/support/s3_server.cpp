#include "tests/support/s3_server.h"

#include <cstdlib>
#include <fstream>
#include <map>

namespace cairn {

Result<S3Server> find_s3_server() {
  const char* path = std::getenv("CAIRN_TEST_S3");
  if (path == nullptr) return fail(Errc::unavailable, "no S3 server: see tests/servers/README.md");
  std::ifstream file(path);
  if (!file) return fail(Errc::unavailable, "no S3 server runs: {} is missing (packaging/install-deps test)", path);
  std::map<std::string, std::string> values;
  for (std::string line; std::getline(file, line);) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos) values[line.substr(0, equals)] = line.substr(equals + 1);
  }
  S3Server server{
      values["S3_ENDPOINT"], values["S3_BUCKET"],        values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"],
      values["AWS_REGION"],  values["S3_TENANT_BUCKET"], values["S3_KMS_KEY"]};
  if (server.endpoint.empty() || server.bucket.empty() || server.access_key.empty() || server.secret_key.empty()) {
    return fail(Errc::invalid_argument, "{} does not say where the S3 server is", path);
  }
  return server;
}

}  // namespace cairn
