// The fixture of the suite: one empty store of the kind under test, and short words for what is done to it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/conformance/object_store/object_store_subject.h"
#include "tests/support/test_environment.h"

namespace cairn {

class ObjectStoreSuite : public testing::TestWithParam<ObjectStoreKind> {
 protected:
  void SetUp() override {
    auto subject = GetParam().make();
    if (!subject) GTEST_SKIP() << subject.error().message();
    subject_ = std::move(*subject);
  }

  ObjectStore& store() { return subject_->store(); }

  Result<void> put(const std::string& key, std::string_view text) {
    return store().put_if_absent(key, as_bytes(text), test_context());
  }
  // The object's bytes, or "<error>" with the error's name.
  std::string text_of(const std::string& key, ByteRange range = {}) {
    const auto bytes = store().get(key, range, test_context());
    return bytes ? std::string(as_text(bytes->view())) : error_name(bytes.error());
  }
  static std::string error_name(const Error& error) { return "<" + std::string(to_string(error.code())) + ">"; }

  // Keys of all pages of `page_size` objects, in the order in which they came.
  std::vector<std::string> keys(const std::string& prefix = {}, size_t page_size = 1000, std::string start_after = {}) {
    std::vector<std::string> found;
    while (true) {
      const auto page = store().list(prefix, start_after, page_size, test_context());
      if (!page) return {error_name(page.error())};
      EXPECT_LE(page->objects.size(), page_size);
      for (const ObjectInfo& object : page->objects) found.push_back(object.key);
      if (!page->more) return found;
      if (page->objects.empty()) return {"<more, but nothing here>"};
      start_after = page->objects.back().key;
    }
  }

 private:
  std::unique_ptr<ObjectStoreSubject> subject_;
};

// The code of a Result's error; Errc is printed by its name.
template <class T>
std::string code_of(const Result<T>& result) {
  return result ? "success" : std::string(to_string(result.error().code()));
}

}  // namespace cairn
