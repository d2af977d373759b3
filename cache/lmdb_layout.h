// What this folder knows of LMDB 0.9's file: pages, as far as they must be told apart. LMDB's own header keeps these
// private; they have not changed since 0.9.0 and its data version (1) guards them.
#pragma once

#include <cstdint>

namespace cairn::lmdb {

inline constexpr uint32_t kMagic = 0xBEEFC0DE;
inline constexpr uint32_t kDataVersion = 1;
inline constexpr uint64_t kNoPage = ~uint64_t{0};
inline constexpr uint64_t kMetaPages = 2;

struct FreeSpace {
  uint16_t lower;  // end of the node offsets
  uint16_t upper;  // start of the nodes
};

// The first bytes of a page. An overflow page run has one header, at its start.
struct PageHeader {
  uint64_t page_number;
  uint16_t pad;
  uint16_t flags;
  union {
    FreeSpace free_space;
    uint32_t overflow_pages;
  };
};
static_assert(sizeof(PageHeader) == 16);

enum PageFlag : uint16_t { kBranch = 0x01, kLeaf = 0x02, kOverflow = 0x04, kMeta = 0x08 };

struct NodeHeader {
  uint16_t low;    // a leaf: low half of the data size; a branch: child page, bits 0 to 15
  uint16_t high;   // a leaf: high half; a branch: bits 16 to 31
  uint16_t flags;  // a leaf: NodeFlag; a branch: bits 32 to 47
  uint16_t key_bytes;
};
static_assert(sizeof(NodeHeader) == 8);

inline constexpr uint16_t kBigData = 0x01;  // the node holds the number of the first overflow page, not the data

struct Tree {
  uint32_t pad;  // of the free list's tree: the page size
  uint16_t flags;
  uint16_t depth;
  uint64_t branch_pages;
  uint64_t leaf_pages;
  uint64_t overflow_pages;
  uint64_t entries;
  uint64_t root;
};
static_assert(sizeof(Tree) == 48);

struct Meta {
  uint32_t magic;
  uint32_t version;
  uint64_t address;
  uint64_t map_bytes;
  Tree free_list;
  Tree main;
  uint64_t last_page;
  uint64_t transaction;
};
static_assert(sizeof(Meta) == 136);

// Pages of an overflow run that holds `data_bytes`.
constexpr uint64_t overflow_pages_for(uint64_t data_bytes, uint64_t page_bytes) {
  return (sizeof(PageHeader) - 1 + data_bytes) / page_bytes + 1;
}

}  // namespace cairn::lmdb
