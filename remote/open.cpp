#include "remote/open.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "base/detached_call.h"
#include "remote/credentials/credential_chain.h"
#include "remote/decorators/detached_object_store.h"
#include "remote/directory/directory_object_store.h"
#include "remote/http/curl_transport.h"
#include "remote/s3/s3_object_store.h"

namespace cairn {

namespace {

constexpr std::string_view kDirectoryScheme = "dir:";
constexpr std::string_view kS3Scheme = "s3:";

// Whether `url` begins like "s3:", "https:": a letter, then letters, digits, "+", "-", ".", then a colon.
bool has_scheme(std::string_view url) {
  const size_t colon = url.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  return url.find_first_of("/ ") > colon;
}

Error unknown_url(const std::string& url) {
  if (has_scheme(url)) {
    return {Errc::unsupported,
            fmt::format("store '{}': the schemes known here are: dir:PATH and s3://BUCKET/PREFIX", url)};
  }
  return {Errc::invalid_argument, fmt::format("'{}' is no store URL; for a directory write 'dir:{}'", url, url)};
}

Result<std::string> path_of_store(const std::string& path) {
  if (path.empty()) return fail(Errc::invalid_argument, "a path must follow 'dir:'");
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return fail(error_from_errno(error.value(), "make '" + path + "' absolute"));
  std::string normal = absolute.lexically_normal().string();
  if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

// On a thread that is left to itself if the file system hangs.
Result<std::unique_ptr<ObjectStore>> open_directory(DirectoryObjectStore::Options options,
                                                    const OpenObjectStoreOptions& wanted) {
  using Opened = Result<std::unique_ptr<DirectoryObjectStore>>;
  const std::string path = options.path;
  const auto is_open_to_others = std::make_shared<std::atomic<bool>>(false);
  const std::function<Opened()> open = [options = std::move(options), is_open_to_others] {
    auto store = DirectoryObjectStore::open(options);
    *is_open_to_others = store && (*store)->is_open_to_others();
    return store;
  };
  auto opened = call_detached("open store", open, wanted.timeout);
  if (!opened) return fail(Errc::deadline_exceeded, "store dir:{}: its file system does not answer", path);
  if (*is_open_to_others && wanted.notice) {
    wanted.notice(fmt::format("store dir:{}: other users of this host can read it: `chmod -R o= {}`", path, path));
  }
  return std::move(*opened);
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Result<std::unique_ptr<ObjectStore>> open_s3(const std::string& url, const OpenObjectStoreOptions& options) {
  auto location = parse_s3_url(url, environment_variable);
  if (!location) return fail(std::move(location).error());
  S3Client::Options client;
  client.location = std::move(*location);
  client.transport = std::make_unique<CurlTransport>(CurlTransport::Options{.ca_file = client.location.ca_file});
  if (!client.location.anonymous) {
    CredentialSettings chain{client.location.profile, client.location.region, CredentialEnvironment::of_this_process()};
    client.credentials = std::make_unique<CredentialChain>(std::move(chain), *client.transport, system_clock());
  }
  return std::make_unique<S3ObjectStore>(std::move(client), options.read_only, system_clock());
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_object_store(const std::string& url, const OpenObjectStoreOptions& options) {
  if (url.starts_with(kS3Scheme)) return open_s3(url, options);
  if (!url.starts_with(kDirectoryScheme)) return fail(unknown_url(url));
  auto path = path_of_store(url.substr(kDirectoryScheme.size()));
  if (!path) return fail(std::move(path).error());
  auto directory = open_directory({*path, options.read_only, options.create, options.group}, options);
  if (!directory) return directory;
  return std::make_unique<DetachedObjectStore>(std::move(*directory),
                                               DetachedObjectStore::Options{.threads = options.operations});
}

bool is_endpoint(const std::string& url) { return url.starts_with(kS3Scheme); }

}  // namespace cairn
