// Whether a file is wanted whole by readers who go through it in an order of their own, and what to bring next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace cairn {

// A file's chunks, by index: which were touched by readers, in which order, and which were asked for ahead of them.
// Loaders that map a file read whole tensors in an order of their own, with several threads. Three regions of some
// substance within half a minute, or half of all chunks, mean that the rest will be wanted too. It is then
// streamed: in the order that an earlier load has left (LoadProfile), else in the file's. At most `window` chunks are
// under way, and no more lie ready that nobody has touched than twice what was touched: who stops early has cost
// little, and where readers have gone the stream comes to its end by itself. Thread-safety: none; its owner locks.
class WholeFile {
 public:
  WholeFile(size_t chunks, size_t window) : chunks_(chunks), window_(window) {}

  // Chunks first..last-1 are read by somebody.
  void touch(size_t first, size_t last);
  // A stream that began somewhere within the file has become worth the name.
  void add_region(SteadyTime now);
  // True once for each time the whole is recognised: the owner then begins.
  bool recognise();

  // Streams the rest: what `order` lists first, then the others.
  void begin(std::vector<uint32_t> order);
  // From begin() until everything was asked for and has come.
  [[nodiscard]] bool streams() const { return streams_; }
  // The next chunk, which counts as under way from now on; nullopt: none, or not now. `held` are chunks that have come
  // and still wait to be taken over by somebody else.
  std::optional<size_t> next(size_t held);
  // A chunk that next() gave has come, or cannot be had.
  void landed();
  // It found no room: it is asked for again, once somebody touches or another lands.
  void retract(size_t chunk);
  // The same of a chunk that others had asked for.
  void give_back(size_t chunk);
  // Others ask for the chunk ahead of its reader. False: while the rest streams, that was done before.
  bool ask(size_t chunk);
  // What a reader has left of a chunk is to be handed over. False: no whole is wanted, or that was done before.
  bool take_rest(size_t chunk);

  // Readers have touched all of it but for a sixteenth.
  [[nodiscard]] bool is_loaded() const;
  [[nodiscard]] size_t touched() const { return order_.size(); }
  // In the order of their first touch, since the last time that a whole was streamed to its end and another began.
  [[nodiscard]] const std::vector<uint32_t>& order() const { return order_; }

 private:
  struct Chunk {
    bool is_touched = false;
    bool is_asked = false;
    bool is_handed_over = false;
  };

  void prepare();
  size_t take_next();
  void mark_asked(size_t chunk);

  const size_t chunks_;
  const size_t window_;
  std::vector<Chunk> state_;  // of all chunks, once the first is touched
  std::vector<uint32_t> order_;
  std::deque<SteadyTime> regions_;  // the last few
  size_t asked_untouched_ = 0;
  bool is_recognised_ = false;
  bool streams_ = false;
  bool is_complete_ = false;    // a whole was streamed to its end
  std::vector<uint32_t> plan_;  // all chunks, in the order in which they are streamed
  size_t cursor_ = 0;           // in it
  std::deque<uint32_t> again_;  // that found no room
  bool has_no_room_ = false;    // until something moves
  size_t under_way_ = 0;
};

}  // namespace cairn
