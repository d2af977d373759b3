// What a check is told to do, and what it found.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cairn {

struct CheckFinding {
  bool loss = false;    // true: something that was published cannot be read; false: untidy, but nothing is lost
  std::string object;   // key
  std::string path;     // a file or directory it belongs to, where known
  std::string message;  // what is wrong, and what to do
};

struct CheckReport {
  uint64_t directories = 0, records = 0, files = 0, versions = 0, manifests = 0, chunks = 0;
  uint64_t chunk_bytes = 0;  // encoded
  // Normal: left by an interrupted save or mkdir, or by a finished rmdir.
  uint64_t unreferenced_chunks = 0;
  uint64_t unreferenced_bytes = 0;
  uint64_t unreferenced_directories = 0;
  std::vector<CheckFinding> findings;      // empty: clean
  std::vector<std::string> not_looked_at;  // what a clean report says nothing of, each with its number

  [[nodiscard]] bool clean() const { return findings.empty(); }
};

struct CheckProgress {
  uint64_t objects_done = 0, objects_total = 0, bytes_done = 0;
};

struct CheckOptions {
  bool read_data = false;              // fetch, decode and verify every chunk, instead of only its presence and size
  uint64_t memory_bytes = 1ULL << 30;  // see check_store
  std::function<void(const CheckProgress&)> progress;
};

}  // namespace cairn
