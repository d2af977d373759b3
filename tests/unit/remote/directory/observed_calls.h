// Sees, and can spoil, the file calls that durability rests on: fdatasync, fsync, linkat and fdopendir of this process.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// While it lives, calls are recorded as "fdatasync +tmp/…", "link chunks/ab/abcd", "fsync chunks/ab", "read dirs/1",
// with paths below `root` ("." for itself). One at a time. Thread-safety: all methods may be called from any thread.
class ObservedCalls {
 public:
  explicit ObservedCalls(std::string root);
  ~ObservedCalls();
  ObservedCalls(const ObservedCalls&) = delete;
  ObservedCalls& operator=(const ObservedCalls&) = delete;

  // What a spoiled call does: 0 goes on as usual, else it is the errno it fails with.
  using Spoiler = std::function<int(std::string_view call)>;
  // Asked before each call. Set it before the calls.
  void spoil(Spoiler spoiler);
  // The next linkat happens but claims to have failed with `errno_value`: on NFS, a reply that was lost.
  void lose_link_reply(int errno_value);

  [[nodiscard]] std::vector<std::string> calls() const;
  void forget();
};

}  // namespace cairn
