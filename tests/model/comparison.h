// Runs operations on hosts and on the reference, and says where they differ.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/model/operation.h"
#include "tests/model/reference_tree.h"
#include "tests/support/test_host.h"

namespace cairn::model {

// Every method that compares gives the first difference as a sentence, empty if there is none.
class Comparison {
 public:
  explicit Comparison(int hosts);
  ~Comparison();

  // The operation's results, then the whole tree as every host sees it.
  std::string step(const Operation& operation);
  // Ends all hosts; then the tree as a new one finds it in the store, and what `cairnfs check` says.
  std::string finish();

 private:
  struct Slot {
    InodePtr inode;  // nullptr: closed
    HandleId handle = 0;
    NodeId node = 0;
    int flags = 0;
  };

  std::string apply(const Operation& operation);
  std::string change_names(const Operation& operation);
  std::string change_attributes(const Operation& operation);
  std::string rewrite(const Operation& operation);
  std::string open(const Operation& operation);
  std::string use_slot(const Operation& operation);
  std::string seek(const Slot& slot, const Operation& operation);
  std::string close(Slot& slot);
  std::string restart();
  std::string compare_trees(TestHost& host);
  std::string compare_directory(TestHost& host, const std::string& path, const Inode& expected);
  std::string compare_inode(TestHost& host, const std::string& path, const Inode& expected);
  std::string compare_open_files();
  void settle(TestHost& host);
  std::string fresh_content(int length);

  TestStore store_;
  std::vector<std::unique_ptr<TestHost>> hosts_;
  ReferenceTree reference_;
  std::array<Slot, kSlots> slots_;
  uint64_t writes_ = 0;
  TestHost* host_ = nullptr;  // the one that the current operation is for
};

}  // namespace cairn::model
