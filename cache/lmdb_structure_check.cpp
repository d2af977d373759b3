#include "cache/lmdb_structure_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "cache/lmdb_layout.h"
#include "cache/local_files.h"

namespace cairn {

namespace {

using lmdb::Meta;
using lmdb::NodeHeader;
using lmdb::PageHeader;
using lmdb::Tree;

constexpr uint64_t kMaxDepth = 16;  // far above what any disk can fill; LMDB itself stops at 32
constexpr size_t kFreeKeyBytes = sizeof(uint64_t);
constexpr uint64_t kUnwrittenPages = 4096;  // pages that were freed before they were written may end the file
constexpr uint16_t kFreeTreeFlags = 0x08;   // MDB_INTEGERKEY

class File {
 public:
  static Result<File> open(const std::string& path) {
    auto fd = open_file(path, O_RDONLY);
    if (!fd) return fail(std::move(fd).error());
    struct stat status {};
    if (::fstat(fd->get(), &status) != 0) return fail(error_from_errno(errno, fmt::format("stat '{}'", path)));
    return File(std::move(*fd), static_cast<uint64_t>(status.st_size));
  }

  [[nodiscard]] uint64_t size_bytes() const { return size_; }

  Result<void> read(uint64_t offset, MutableByteView out) const {
    const ssize_t got = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0) return fail(error_from_errno(errno, "read"));
    if (static_cast<size_t>(got) != out.size())
      return fail(Errc::corrupt, "ends at {}", offset + static_cast<size_t>(got));
    return {};
  }

 private:
  File(UniqueFd fd, uint64_t size) : fd_(std::move(fd)), size_(size) {}
  UniqueFd fd_;
  uint64_t size_;
};

template <class T>
T load(ByteView bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// Every page of the map, claimed by at most one owner.
class PageClaims {
 public:
  // `written` of them are in the file; the rest can only be free.
  PageClaims(uint64_t pages, uint64_t written) : claimed_(pages), written_(std::min(pages, written)) {}

  Result<void> claim_used(uint64_t first, uint64_t count) { return claim(first, count, written_); }
  Result<void> claim_free(uint64_t page) { return claim(page, 1, claimed_.size()); }

 private:
  Result<void> claim(uint64_t first, uint64_t count, uint64_t end) {
    if (first < lmdb::kMetaPages || count > end || first > end - count) {
      return fail(Errc::corrupt, "pages {}+{} are outside the file", first, count);
    }
    for (uint64_t page = first; page < first + count; ++page) {
      if (claimed_[page]) return fail(Errc::corrupt, "page {} is used twice", page);
      claimed_[page] = true;
    }
    return {};
  }

  std::vector<bool> claimed_;
  const uint64_t written_;
};

// One node of a page, checked to lie inside it.
struct Node {
  NodeHeader header;
  ByteView key;
  ByteView rest;  // of the page, after the key

  [[nodiscard]] uint64_t child() const {
    return header.low | uint64_t{header.high} << 16 | uint64_t{header.flags} << 32;
  }
  [[nodiscard]] uint64_t data_bytes() const { return header.low | uint64_t{header.high} << 16; }
  [[nodiscard]] bool is_big() const { return header.flags == lmdb::kBigData; }
};

// Walks one tree in key order.
class TreeCheck {
 public:
  TreeCheck(const File& file, PageClaims& claims, uint64_t page_bytes, const Tree& tree, size_t key_bytes)
      : file_(file), claims_(claims), page_bytes_(page_bytes), tree_(tree), key_bytes_(key_bytes) {}
  virtual ~TreeCheck() = default;
  TreeCheck(const TreeCheck&) = delete;
  TreeCheck& operator=(const TreeCheck&) = delete;

  Result<void> run() {
    if (tree_.root == lmdb::kNoPage) return match_counts();
    if (tree_.depth == 0 || tree_.depth > kMaxDepth) return fail(Errc::corrupt, "a tree of depth {}", tree_.depth);
    if (auto walked = walk(tree_.root, 1); !walked) return walked;
    return match_counts();
  }

 protected:
  // A leaf's value; `data` is what stands in the page.
  virtual Result<void> visit(const Node&) { return {}; }

  [[nodiscard]] uint64_t page_bytes() const { return page_bytes_; }
  [[nodiscard]] const File& file() const { return file_; }
  [[nodiscard]] PageClaims& claims() const { return claims_; }

 private:
  Result<void> walk(uint64_t page_number, uint64_t level) {
    if (auto claimed = claims_.claim_used(page_number, 1); !claimed) return claimed;
    Buffer page(page_bytes_);
    if (auto got = file_.read(page_number * page_bytes_, page.mutable_view()); !got) return got;
    const bool is_leaf = level == tree_.depth;
    ++(is_leaf ? leaf_pages_ : branch_pages_);
    auto nodes = check_header(page.view(), page_number, is_leaf);
    if (!nodes) return fail(std::move(nodes).error().in(fmt::format("page {}", page_number)));
    size_t node_bytes = 0;
    for (size_t i = 0; i < *nodes; ++i) {
      auto node = node_at(page.view(), i, is_leaf);
      if (!node) return fail(std::move(node).error().in(fmt::format("page {} node {}", page_number, i)));
      node_bytes += footprint(*node, is_leaf);
      auto checked = is_leaf ? check_leaf(*node) : check_branch(*node, i == 0, level);
      if (!checked) return checked;
    }
    if (node_bytes != page_bytes_ - load<PageHeader>(page.view(), 0).free_space.upper) {
      return fail(Errc::corrupt, "page {}: nodes overlap", page_number);
    }
    return {};
  }

  // How many nodes the page has.
  Result<size_t> check_header(ByteView page, uint64_t page_number, bool is_leaf) const {
    const auto header = load<PageHeader>(page, 0);
    const auto [lower, upper] = header.free_space;
    if (header.page_number != page_number) return fail(Errc::corrupt, "is labelled {}", header.page_number);
    if (header.flags != (is_leaf ? lmdb::kLeaf : lmdb::kBranch)) return fail(Errc::corrupt, "flags {}", header.flags);
    if (lower < sizeof header || lower > upper || upper > page_bytes_ || lower % 2 != 0) {
      return fail(Errc::corrupt, "free space from {} to {}", lower, upper);
    }
    const size_t nodes = (lower - sizeof header) / sizeof(uint16_t);
    if (nodes < (is_leaf ? 1U : 2U)) return fail(Errc::corrupt, "{} nodes", nodes);
    return nodes;
  }

  static Result<Node> node_at(ByteView page, size_t index, bool is_leaf) {
    const size_t upper = load<PageHeader>(page, 0).free_space.upper;
    const size_t offset = load<uint16_t>(page, sizeof(PageHeader) + index * sizeof(uint16_t));
    if (offset < upper || offset % 2 != 0 || offset + sizeof(NodeHeader) > page.size()) {
      return fail(Errc::corrupt, "at {}", offset);
    }
    Node node{load<NodeHeader>(page, offset), {}, page.subspan(offset + sizeof(NodeHeader))};
    if (node.header.key_bytes > node.rest.size()) return fail(Errc::corrupt, "key runs out of the page");
    node.key = node.rest.first(node.header.key_bytes);
    node.rest = node.rest.subspan(node.header.key_bytes);
    if (is_leaf && inline_bytes(node) > node.rest.size()) return fail(Errc::corrupt, "value runs out of the page");
    return node;
  }

  static size_t inline_bytes(const Node& node) { return node.is_big() ? sizeof(uint64_t) : node.data_bytes(); }

  // Nodes begin at even offsets.
  static size_t footprint(const Node& node, bool is_leaf) {
    const size_t bytes = sizeof(NodeHeader) + node.key.size() + (is_leaf ? inline_bytes(node) : 0);
    return (bytes + 1) & ~size_t{1};
  }

  Result<void> check_branch(const Node& node, bool is_first, uint64_t level) {
    if (!is_first) {  // the first child's key stands for "anything smaller" and is not looked at
      if (auto ordered = advance(node.key); !ordered) return ordered;
      bound_is_inclusive_ = true;
    }
    return walk(node.child(), level + 1);
  }

  Result<void> check_leaf(const Node& node) {
    ++entries_;
    if (auto ordered = advance(node.key); !ordered) return ordered;
    bound_is_inclusive_ = false;
    if (node.header.flags != 0 && !node.is_big()) return fail(Errc::corrupt, "node flags {}", node.header.flags);
    if (node.is_big()) {
      const uint64_t pages = lmdb::overflow_pages_for(node.data_bytes(), page_bytes_);
      overflow_pages_ += pages;
      if (auto claimed = claims_.claim_used(load<uint64_t>(node.rest, 0), pages); !claimed) return claimed;
    }
    return visit(node);
  }

  // Keys only ever grow in the order of the walk; a branch's key may equal the first one below it.
  Result<void> advance(ByteView key) {
    if (key.size() != key_bytes_) return fail(Errc::corrupt, "a key of {} bytes", key.size());
    const int order = bound_.empty() ? 1 : compare(key, as_bytes(bound_));
    if (order < 0 || (order == 0 && !bound_is_inclusive_)) return fail(Errc::corrupt, "keys out of order");
    bound_ = as_text(key);
    return {};
  }

  // LMDB compares the free list's keys as integers.
  [[nodiscard]] int compare(ByteView a, ByteView b) const {
    if (tree_.flags != kFreeTreeFlags) return std::memcmp(a.data(), b.data(), key_bytes_);
    const auto left = load<uint64_t>(a, 0);
    const auto right = load<uint64_t>(b, 0);
    return left < right ? -1 : left > right;
  }

  [[nodiscard]] Result<void> match_counts() const {
    if (entries_ == tree_.entries && leaf_pages_ == tree_.leaf_pages && branch_pages_ == tree_.branch_pages &&
        overflow_pages_ == tree_.overflow_pages) {
      return {};
    }
    return fail(Errc::corrupt, "the tree has {} entries, its record says {}", entries_, tree_.entries);
  }

  const File& file_;
  PageClaims& claims_;
  const uint64_t page_bytes_;
  const Tree& tree_;
  const size_t key_bytes_;
  std::string bound_;  // the last key seen
  bool bound_is_inclusive_ = false;
  uint64_t entries_ = 0;
  uint64_t leaf_pages_ = 0;
  uint64_t branch_pages_ = 0;
  uint64_t overflow_pages_ = 0;
};

// The free list's values are lists of pages: a count, then page numbers in descending order.
class FreeListCheck final : public TreeCheck {
 public:
  using TreeCheck::TreeCheck;

 private:
  Result<void> visit(const Node& node) override {
    Buffer list(node.data_bytes());
    if (node.is_big()) {
      const uint64_t offset = load<uint64_t>(node.rest, 0) * page_bytes() + sizeof(PageHeader);
      if (auto got = file().read(offset, list.mutable_view()); !got) return got;
    } else {
      std::memcpy(list.data(), node.rest.data(), list.size());
    }
    return claim_free(list.view());
  }

  Result<void> claim_free(ByteView list) const {
    if (list.size() < sizeof(uint64_t) || list.size() % sizeof(uint64_t) != 0) {
      return fail(Errc::corrupt, "a free list of {} bytes", list.size());
    }
    const auto count = load<uint64_t>(list, 0);
    if (count > list.size() / sizeof(uint64_t) - 1) return fail(Errc::corrupt, "a free list of {} pages", count);
    uint64_t above = lmdb::kNoPage;
    for (uint64_t i = 1; i <= count; ++i) {
      const auto page = load<uint64_t>(list, i * sizeof(uint64_t));
      if (page >= above) return fail(Errc::corrupt, "free pages out of order");
      if (auto claimed = claims().claim_free(page); !claimed) return claimed;
      above = page;
    }
    return {};
  }
};

Result<Meta> load_meta(const File& file, uint64_t offset) {
  std::byte bytes[sizeof(PageHeader) + sizeof(Meta)];
  if (auto got = file.read(offset, bytes); !got) return fail(std::move(got).error());
  const auto meta = load<Meta>(bytes, sizeof(PageHeader));
  const bool is_meta = load<PageHeader>(bytes, 0).flags == lmdb::kMeta;
  if (!is_meta || meta.magic != lmdb::kMagic || meta.version != lmdb::kDataVersion) {
    return fail(Errc::corrupt, "no LMDB meta page at {}", offset);
  }
  return meta;
}

// The meta page LMDB will pick: the newer one.
Result<Meta> current_meta(const File& file, uint64_t page_bytes) {
  auto first = load_meta(file, 0);
  if (!first) return first;
  auto second = load_meta(file, page_bytes);
  if (!second) return second;
  return first->transaction < second->transaction ? second : first;
}

Result<void> check_meta(const Meta& meta, const File& file, uint64_t page_bytes) {
  if (meta.free_list.pad != page_bytes) return fail(Errc::corrupt, "page size {}", meta.free_list.pad);
  if (meta.free_list.flags != kFreeTreeFlags || meta.main.flags != 0) return fail(Errc::corrupt, "unknown tree flags");
  const uint64_t most_pages = file.size_bytes() / page_bytes + kUnwrittenPages;
  if (meta.last_page < lmdb::kMetaPages - 1 || meta.last_page >= most_pages) {
    return fail(Errc::corrupt, "{} bytes long, but pages go up to number {}", file.size_bytes(), meta.last_page);
  }
  return {};
}

}  // namespace

Result<void> check_lmdb_structure(const std::string& data_path, size_t key_bytes) {
  auto file = File::open(data_path);
  if (!file && file.error().code() == Errc::not_found) return {};
  if (!file) return fail(std::move(file).error());
  if (file->size_bytes() == 0) return {};
  const auto page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  auto meta = current_meta(*file, page_bytes);
  if (!meta) return fail(std::move(meta).error());
  if (auto sound = check_meta(*meta, *file, page_bytes); !sound) return sound;
  PageClaims claims(meta->last_page + 1, file->size_bytes() / page_bytes);
  auto main = TreeCheck(*file, claims, page_bytes, meta->main, key_bytes).run();
  if (!main) return fail(std::move(main).error().in("main tree"));
  auto free_list = FreeListCheck(*file, claims, page_bytes, meta->free_list, kFreeKeyBytes).run();
  if (!free_list) return fail(std::move(free_list).error().in("free list"));
  return {};
}

}  // namespace cairn
