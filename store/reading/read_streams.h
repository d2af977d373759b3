// The pattern of one file's reads: which of them belong together and go forward.
#pragma once

#include <cstdint>
#include <vector>

namespace cairn {

// The reads of all openers of a file, sorted into streams. A stream is a position that moves on: a sequential reader,
// the sweep of a mapping whose faults arrive a little out of order, one of many readers at different offsets. A read
// near a stream's front belongs to it; any other starts a stream of its own, so a look at the tail of a file (a zip's
// directory) leaves the stream at its head alone, and random reads never become streams.
// Thread-safety: none; its owner locks.
class ReadStreams {
 public:
  explicit ReadStreams(uint32_t chunk_size) : chunk_size_(chunk_size) {}

  // How far a stream has come, and how much ahead of it is worth fetching.
  struct Position {
    uint64_t stream = 0;       // its identity
    uint64_t front = 0;        // the end of its furthest read
    uint64_t ahead_bytes = 0;  // 0: not recognised yet
    uint64_t asked_until = 0;  // `until` of the last asked()
    bool is_region = false;    // with this read it has become a region: it began within the file, and has substance
  };
  Position observe(uint64_t offset, uint64_t length);

  // The owner has asked for everything of `stream` below `until`. Reads below it may stay invisible from now on, if
  // `pushed` (the kernel then answers them from its own pages), and still belong to the stream.
  void asked(uint64_t stream, uint64_t until, bool pushed);
  // The bytes from `offset` on could not be fetched after all: they will be asked for again.
  void retract(uint64_t stream, uint64_t offset);

 private:
  struct Stream {
    uint64_t id = 0;
    uint64_t begin = 0;
    uint64_t front = 0;
    uint64_t read_bytes = 0;  // that moved the front
    uint64_t asked_until = 0;
    uint64_t pushed_until = 0;
    uint64_t steps = 0;  // reads that moved the front
    uint64_t last_use = 0;
    bool is_region = false;
  };

  Stream* near(uint64_t offset, uint64_t length);
  Stream* find(uint64_t id);
  Stream& start(uint64_t offset);
  [[nodiscard]] uint64_t ahead_of(const Stream& stream) const;

  const uint32_t chunk_size_;
  std::vector<Stream> streams_;
  uint64_t clock_ = 0;
};

}  // namespace cairn
