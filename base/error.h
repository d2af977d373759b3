// What went wrong, sorted by what the caller should do about it.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace cairn {

// A closed list. Each value names a different reaction of the caller; anything finer belongs in the message.
enum class Errc {
  not_found,          // the thing is not there: report it, or create it
  already_exists,     // somebody was first: use theirs
  conflict,           // the state changed under the operation: re-read and try again
  invalid_argument,   // the request can never succeed as it is: fix the request
  unavailable,        // passing fault of a remote: retry later, other copies first
  deadline_exceeded,  // took longer than its RequestContext allowed
  cancelled,          // the caller asked for it to stop
  corrupt,            // bytes do not match their digest or their grammar: never use them
  no_space,           // a disk, a bucket quota or a cache is full
  permission_denied,  // credentials or modes forbid it
  read_only,          // the store, the mount or the medium takes no writes
  unsupported,        // this build, kernel or endpoint cannot do it
  io,                 // the operating system reported a fault with no better name
};

std::string_view to_string(Errc code);

// An Errc and a sentence for the engineer. Cheap to move; context is added on the way up, outermost first:
//   read 'w.bin' at 4096: chunk 3f2a…: get chunks/3f/3f2a…: No such file or directory
// `posix` is set by posix_error() alone (base/posix_error.h), where POSIX names a more exact error than the Errc does
// (ENOTEMPTY, EISDIR).
class Error {
 public:
  Error(Errc code, std::string message, int posix = 0) : code_(code), posix_(posix), message_(std::move(message)) {}

  [[nodiscard]] Errc code() const { return code_; }
  [[nodiscard]] int posix() const { return posix_; }
  [[nodiscard]] const std::string& message() const { return message_; }

  // "corrupt: chunk 3f2a…: …", for logs and the command line.
  [[nodiscard]] std::string to_string() const;

  // The same error with "<context>: " put in front of its message.
  [[nodiscard]] Error in(std::string_view context) const;

 private:
  Errc code_;
  int posix_;
  std::string message_;
};

// The Errc for an errno of this machine's file calls, with "<what>: <strerror>" as its message.
Error error_from_errno(int errno_value, std::string_view what);

}  // namespace cairn
