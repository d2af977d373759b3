#include "tests/unit/fuse/mock_file_system.h"

namespace cairn {

MockFileSystem::MockFileSystem() = default;
MockFileSystem::~MockFileSystem() = default;

}  // namespace cairn
