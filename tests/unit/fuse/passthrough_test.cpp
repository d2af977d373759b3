// What is agreed and said of files that the kernel reads by itself. That it does is tests/native's to show.
#include <fcntl.h>

#include <cerrno>

#include "base/posix_error.h"
#include "tests/unit/fuse/shell_fixture.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::Return;

constexpr uint32_t kPassthrough = 1U << (37 - 32);  // FUSE_PASSTHROUGH, in flags2
constexpr uint32_t kOpenNatively = 1U << 7;         // FOPEN_PASSTHROUGH

class PassthroughTest : public FuseShellTest {
 protected:
  void SetUp() override {
    FuseShellTest::SetUp();
    ON_CALL(files, set_backings).WillByDefault([this](const Result<std::shared_ptr<Backings>>& backings) {
      why_not = backings ? "" : backings.error().to_string();
    });
  }
  void start_in(const std::string& path) {
    auto options = quick_options();
    options.native_directory = path;
    start(std::move(options));
  }
  // The first word after flags2.
  [[nodiscard]] uint32_t stack_depth() const {
    uint32_t depth = 0;
    std::memcpy(&depth, reinterpret_cast<const char*>(&terms) + offsetof(fuse_init_out, flags2) + sizeof(uint32_t),
                sizeof depth);
    return depth;
  }

  const TemporaryDirectory directory;
  std::string why_not = "set_backings was not called";
};

TEST_F(PassthroughTest, what_the_kernel_offers_is_taken_with_the_depth_that_the_disk_needs) {
  offers_passthrough = true;
  start_in(directory.path().string());
  EXPECT_NE(terms.flags2 & kPassthrough, 0U);
  EXPECT_GE(stack_depth(), 1U);
  EXPECT_LE(stack_depth(), 2U);
  EXPECT_THAT(why_not, HasSubstr("FUSE_DEV_IOC_BACKING_OPEN")) << "a socket is no /dev/fuse";
}

TEST_F(PassthroughTest, a_kernel_that_offers_nothing_is_asked_for_nothing) {
  start_in(directory.path().string());
  EXPECT_EQ(terms.flags2 & kPassthrough, 0U);
  EXPECT_EQ(stack_depth(), 0U);
  EXPECT_THAT(why_not, HasSubstr("Linux 6.9"));
}

TEST_F(PassthroughTest, without_a_directory_nothing_is_asked_for) {
  offers_passthrough = true;
  auto options = quick_options();
  options.why_not_native = "passthrough=off";
  start(std::move(options));
  EXPECT_EQ(terms.flags2 & kPassthrough, 0U);
  EXPECT_EQ(stack_depth(), 0U);
  EXPECT_THAT(why_not, HasSubstr("passthrough=off"));
}

TEST_F(PassthroughTest, a_directory_that_is_not_there_is_the_reason) {
  offers_passthrough = true;
  start_in((directory.path() / "gone").string());
  EXPECT_EQ(terms.flags2 & kPassthrough, 0U);
  EXPECT_THAT(why_not, HasSubstr("gone"));
}

TEST_F(PassthroughTest, an_open_is_answered_with_its_backing_and_without_kept_pages) {
  start();
  EXPECT_CALL(files, open_file).WillOnce(Return(OpenReply{.handle = 55, .keep_cache = false, .backing = 7}));
  const auto opened = kernel.call(FUSE_OPEN, 7, packed(fuse_open_in{O_RDONLY, 0}));
  EXPECT_EQ(opened.body.size(), sizeof(fuse_open_out));
  EXPECT_EQ(opened.as<fuse_open_out>().fh, 55U);
  EXPECT_EQ(opened.as<fuse_open_out>().open_flags, kOpenNatively | FOPEN_NOFLUSH);
  EXPECT_EQ(opened.as<int32_t>(offsetof(fuse_open_out, open_flags) + sizeof(uint32_t)), 7);
}

}  // namespace
}  // namespace cairn
