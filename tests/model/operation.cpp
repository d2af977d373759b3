#include "tests/model/operation.h"

#include <array>

namespace cairn::model {

namespace {

constexpr std::array<const char*, 21> kActNames = {
    "mkdir", "rmdir",    "unlink", "symlink",   "rename",    "write_file",  "append_file",
    "patch", "truncate", "chmod",  "utimens",   "setxattr",  "removexattr", "restart",
    "open",  "close",    "write",  "ftruncate", "fallocate", "seek",        "fsync"};

const std::vector<std::string>& paths() {
  static const std::vector<std::string> kPaths = {"d", "e", "a", "b", "d/e", "d/a", "d/b", "e/a", "d/e/a", "d/e/b"};
  return kPaths;
}

int count_of_paths() { return static_cast<int>(paths().size()); }

}  // namespace

const std::vector<std::string>& all_paths() { return paths(); }

const std::string& Operation::first_path() const { return paths()[static_cast<size_t>(path)]; }
const std::string& Operation::second_path() const { return paths()[static_cast<size_t>(other_path)]; }

std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  return out << kActNames[static_cast<size_t>(operation.act)] << "(host " << operation.host << ", '"
             << operation.first_path() << "', '" << operation.second_path() << "', slot " << operation.slot
             << ", variant " << operation.variant << ", offset " << operation.offset << ", length " << operation.length
             << ")";
}

rc::Gen<std::vector<Operation>> operations(std::vector<Act> acts, int hosts) {
  // Sizes around the limits that matter: inline content (4 KiB), a chunk (64 KiB), a few chunks.
  const auto sizes = rc::gen::element(0, 1, 5, 4096, 4097, 65535, 65536, 65537, 150'000, 262'144);
  return rc::gen::container<std::vector<Operation>>(
      rc::gen::build<Operation>(rc::gen::set(&Operation::act, rc::gen::elementOf(std::move(acts))),
                                rc::gen::set(&Operation::host, rc::gen::inRange(0, hosts)),
                                rc::gen::set(&Operation::path, rc::gen::inRange(0, count_of_paths())),
                                rc::gen::set(&Operation::other_path, rc::gen::inRange(0, count_of_paths())),
                                rc::gen::set(&Operation::slot, rc::gen::inRange(0, kSlots)),
                                rc::gen::set(&Operation::variant, rc::gen::inRange(0, 12)),
                                rc::gen::set(&Operation::offset, sizes), rc::gen::set(&Operation::length, sizes)));
}

}  // namespace cairn::model
