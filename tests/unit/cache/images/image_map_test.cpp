// What stands beside an image.
#include "cache/images/image_map.h"

#include "tests/unit/cache/images/image_fixture.h"

namespace cairn {
namespace {

TEST(ImageMap, IsReadBackAsItWasWritten) {
  const ImageContent content({1, 2, 3}, 12345);
  ImageMap map{.care = 3,
               .size_bytes = content.size_bytes + 7,
               .is_whole = false,
               .chunks = content.chunks,
               .present = {true, false, true}};
  const auto parsed = parse_image_map(encode_image_map(map));
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_EQ(parsed->care, 3U);
  EXPECT_EQ(parsed->size_bytes, map.size_bytes);
  EXPECT_EQ(*parsed->chunks, *content.chunks);
  EXPECT_EQ(parsed->present, map.present);
}

TEST(ImageMap, RefusesWhatIsCutOrChanged) {
  const ImageContent content({1, 2});
  const std::string bytes = encode_image_map(
      {.size_bytes = content.size_bytes, .is_whole = true, .chunks = content.chunks, .present = {true, true}});
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(parse_image_map(bytes.substr(0, size)));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x20);
    EXPECT_FALSE(parse_image_map(changed)) << "byte " << i;
  }
}

}  // namespace
}  // namespace cairn
