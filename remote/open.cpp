#include "remote/open.h"

#include <filesystem>
#include <future>
#include <thread>

#include "remote/detached_object_store.h"
#include "remote/directory_object_store.h"

namespace cairn {

namespace {

constexpr std::string_view kDirectoryScheme = "dir:";

// Whether `url` begins like "s3:", "https:": a letter, then letters, digits, "+", "-", ".", then a colon.
bool has_scheme(std::string_view url) {
  const size_t colon = url.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  return url.find_first_of("/ ") > colon;
}

Error unknown_url(const std::string& url) {
  if (has_scheme(url)) {
    return {Errc::unsupported, fmt::format("store '{}': the schemes known here are: dir:PATH", url)};
  }
  return {Errc::invalid_argument, fmt::format("'{}' is no store URL; for a directory write 'dir:{}'", url, url)};
}

Result<std::string> absolute_path(const std::string& path) {
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
                                                    std::chrono::nanoseconds timeout) {
  const std::string path = options.path;
  std::promise<Result<std::unique_ptr<DirectoryObjectStore>>> promise;
  auto opened = promise.get_future();
  std::thread([promise = std::move(promise), options = std::move(options)]() mutable {
    promise.set_value(DirectoryObjectStore::open(std::move(options)));
  }).detach();
  if (opened.wait_for(timeout) == std::future_status::ready) return opened.get();
  return fail(Errc::deadline_exceeded, "store dir:{}: its file system does not answer", path);
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_object_store(const std::string& url, const OpenObjectStoreOptions& options) {
  if (!url.starts_with(kDirectoryScheme)) return fail(unknown_url(url));
  auto path = absolute_path(url.substr(kDirectoryScheme.size()));
  if (!path) return fail(std::move(path).error());
  auto directory = open_directory({*path, options.read_only, options.create}, options.timeout);
  if (!directory) return directory;
  return std::make_unique<DetachedObjectStore>(std::move(*directory),
                                               DetachedObjectStore::Options{.threads = options.operations});
}

}  // namespace cairn
