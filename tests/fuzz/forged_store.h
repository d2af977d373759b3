// Whole stores as somebody would forge them: every object well-formed on its outside, with whatever inside.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "remote/object_store.h"
#include "store/format/format.pb.h"

namespace cairn::fuzz {

// The fuzzer's bytes as a row of decisions; zeros once they are used up, so that every forger comes to an end.
// Thread-safety: none.
class Tape {
 public:
  explicit Tape(ByteView bytes) : bytes_(bytes) {}

  [[nodiscard]] bool is_empty() const { return bytes_.empty(); }
  uint8_t byte();
  // 0 to `most` - 1.
  size_t below(size_t most) { return byte() % most; }
  // True once in `n`.
  bool one_in(size_t n) { return below(n) == n - 1; }
  // A number as forgers like them: small, or at an edge.
  uint64_t number();
  template <class T>
  T any_of(std::initializer_list<T> values) {
    return *(values.begin() + below(values.size()));
  }

 private:
  ByteView bytes_;
};

// Few of everything, so that things refer to each other: eight directories, six names, six chunks, three chunk lists.
// Thread-safety: none.
class StoreForger {
 public:
  static constexpr uint32_t kChunkSize = 64U << 10;
  static constexpr size_t kChunks = 6;

  // `objects` gets a store of which only cairn.format can be trusted.
  StoreForger(ObjectStore& objects, Tape& tape) : objects_(objects), tape_(tape) {}
  void forge_tree();   // directories, their records, and files with what they like to say of their content
  void forge_files();  // one directory with files whose chunk lists and chunks are forged

  // What chunk `index` would hold if nobody had forged it.
  static ByteView chunk_bytes(size_t index);
  static std::string name(size_t index);

 private:
  void put(const std::string& key, ByteView bytes);
  void put_format();
  void put_directory(uint64_t id);
  void put_record(uint64_t id, uint64_t number, uint64_t snapshot, const format::DirectoryRecord& record);
  void put_manifests();
  void put_chunks();
  // Where an entry stands; each may have what another may not.
  enum class Within { snapshot, delta, move };
  void fill_changes(format::DirectoryRecord* record, bool is_snapshot);
  void fill_entry(format::Entry* entry, Within within);
  void fill_history(format::Entry* entry);
  void fill_versions(format::Entry* entry);
  void fill_content(format::Version* version);
  void fill_manifest(format::Manifest* manifest);
  void fill_attributes(format::Attributes* attributes);
  uint64_t directory_id();
  uint64_t attempt();

  ObjectStore& objects_;
  Tape& tape_;
  std::vector<std::pair<Digest, uint64_t>> manifests_;  // with the size of the file that each is of
};

}  // namespace cairn::fuzz
