// The bytes of an object that has no key yet.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/request_context.h"
#include "remote/directory/folder.h"

namespace cairn {

// A file in a store's temporary folder: written, synced, then published under its key, whole, or never.
// Thread-safety: one thread at a time.
// Ownership: removes its temporary name when it goes. A crash leaves it, for remove_stale_temporaries.
class TemporaryObject {
 public:
  // Makes the temporary folder too, if it is not there.
  static Result<TemporaryObject> create(const Folder& root, const Sharing& sharing);
  TemporaryObject(TemporaryObject&&) = default;
  TemporaryObject& operator=(TemporaryObject&&) = delete;
  ~TemporaryObject();

  // When it was made or written to, by the clock of whoever keeps the disk.
  [[nodiscard]] Result<Nanos> written_at() const { return Folder::written_at(fd_); }
  // Appends `bytes` and makes all that was written durable. Failures: no_space, cancelled, deadline_exceeded, io.
  Result<void> write_durably(ByteView bytes, const RequestContext& context);
  // Gives the file the name `leaf` in `folder` if that is free. Durable once `folder` is synced.
  // Failures: already_exists; not_found if `folder` was removed meanwhile.
  Result<void> publish(const Folder& folder, const std::string& leaf);

 private:
  TemporaryObject(Folder temporaries, std::string name, UniqueFd fd)
      : temporaries_(std::move(temporaries)), name_(std::move(name)), fd_(std::move(fd)) {}
  // Whether the file has a second name, whatever an earlier reply said.
  [[nodiscard]] bool is_linked_twice() const;

  Folder temporaries_;
  std::string name_;
  UniqueFd fd_;
};

// Removes what crashed writers left below `root`: temporary files that nobody has written to for a day, both by this
// host's clock, which says that it is `now`, and by that of whoever keeps the disk. Removing one that is in use after
// all makes its publish fail, and does no other harm. Gives the number of files removed.
Result<size_t> remove_stale_temporaries(const Folder& root, Nanos now);

}  // namespace cairn
