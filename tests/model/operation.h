// One generated step of a model test.
#pragma once

#include <rapidcheck.h>

#include <ostream>
#include <string>
#include <vector>

namespace cairn::model {

enum class Act {
  mkdir,
  rmdir,
  unlink,
  symlink,
  rename,
  write_file,   // open O_CREAT|O_TRUNC, write, close
  append_file,  // open O_CREAT|O_APPEND, write, close
  patch_file,   // open, write in the middle, close
  truncate,
  chmod,
  utimens,
  set_xattr,
  remove_xattr,
  restart,
  // The rest works on open files, of which there are kSlots.
  open,
  close,
  write,
  resize,
  allocate,
  seek,
  sync,
};
inline constexpr int kSlots = 3;

// Small numbers, which shrink well; each act makes of them what it needs.
struct Operation {
  Act act = Act::mkdir;
  int host = 0;
  int path = 0;
  int other_path = 0;
  int slot = 0;
  int variant = 0;
  int offset = 0;
  int length = 0;

  [[nodiscard]] const std::string& first_path() const;
  [[nodiscard]] const std::string& second_path() const;
};
std::ostream& operator<<(std::ostream& out, const Operation& operation);

// `acts` in the proportions in which they are listed.
rc::Gen<std::vector<Operation>> operations(std::vector<Act> acts, int hosts);

// Every path that operations use, parents first.
const std::vector<std::string>& all_paths();

}  // namespace cairn::model
