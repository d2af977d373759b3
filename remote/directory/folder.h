// One open directory below a store's root, and the file calls a store makes in it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace cairn {

// Who besides its owner may use what is made in a store: its root's group, as far as the root lets it, and nobody else.
struct Sharing {
  mode_t folders = 0700;
  mode_t objects = 0400;  // written once, never again
};

// Names are relative to the directory and are single components; no call follows a symbolic link.
// Thread-safety: all methods may be called from any thread.
// Failures: file_error of the call, naming the entry.
class Folder {
 public:
  explicit Folder(UniqueFd fd) : fd_(std::move(fd)) {}
  // Follows symbolic links: the root of a store may be behind one.
  static Result<Folder> open_root(const std::string& path);

  // Opened anew, which makes an NFS client ask the server whether the directory has changed: what was not there a
  // moment ago is then looked for again.
  [[nodiscard]] Result<Folder> open_folder(const std::string& name) const;
  // The same for a folder further down, at `path` ("chunks/ab"; "" is this one).
  [[nodiscard]] Result<Folder> walk(std::string_view path) const;
  // A regular file, for reading. not_found for whatever else has that name.
  [[nodiscard]] Result<UniqueFd> open_file(const std::string& name, uint64_t* size_bytes) const;
  // When the file was last written, by the clock of whoever keeps the disk: on NFS, the server.
  [[nodiscard]] static Result<Nanos> written_at(const UniqueFd& file);
  // The size of the regular file of that name. not_found for whatever else has it.
  [[nodiscard]] Result<uint64_t> size_of(const std::string& name) const;
  enum class Kind { file, folder };
  // Calls `visit` for each name in the order of the file system, until it fails; links, fifos and the like are left
  // out.
  using Visit = std::function<Result<void>(std::string_view name, Kind kind)>;
  [[nodiscard]] Result<void> for_each_name(const Visit& visit) const;
  // A directory of that name: made now, whatever the umask, or there already.
  [[nodiscard]] Result<void> make_folder(const std::string& name, const Sharing& sharing) const;
  // What this folder says as the root of a store.
  [[nodiscard]] Result<Sharing> sharing() const;
  // Whether users who are neither its owner nor of its group may look into it.
  [[nodiscard]] bool is_open_to_others() const;
  // Removing what is not there succeeds; `removed` says whether it was.
  [[nodiscard]] Result<bool> unlink(const std::string& name) const;
  // Makes the names in this directory durable.
  [[nodiscard]] Result<void> sync() const;

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  [[nodiscard]] Result<Folder> enter(const std::string& name, int flags) const;

  UniqueFd fd_;
};

// "chunks/ab/abcd" is "abcd" in the folder "chunks/ab"; "cairn.format" is in "".
std::string_view folder_of(std::string_view key);
std::string leaf_of(std::string_view key);

}  // namespace cairn
