// A filesystem whose answers the test gives.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "fs/file_system.h"
#include "fs/file_system_control.h"

namespace cairn {

class MockFileSystem : public FileSystem, public FileSystemControl {
 public:
  using Context = const RequestContext&;
  using Name = const std::string&;

  // Out of line: what they instantiate for each method takes half of a test's compile time.
  MockFileSystem();
  ~MockFileSystem() override;

  MOCK_METHOD(Result<NodeReply>, lookup, (NodeId, Name, Context), (override));
  MOCK_METHOD(void, forget, (NodeId, uint64_t), (override));
  MOCK_METHOD(Result<NodeReply>, get_attributes, (NodeId, std::optional<HandleId>, Context), (override));
  MOCK_METHOD(Result<NodeReply>, set_attributes, (NodeId, const SetAttributes&, Context), (override));
  MOCK_METHOD(Result<NodeReply>, make_directory, (NodeId, Name, uint32_t, const Caller&, Context), (override));
  MOCK_METHOD(Result<NodeReply>, make_node, (NodeId, Name, Kind, uint32_t, const Caller&, Context), (override));
  MOCK_METHOD(Result<NodeReply>, make_symlink, (NodeId, Name, Name, const Caller&, Context), (override));
  MOCK_METHOD(Result<std::string>, read_symlink, (NodeId, Context), (override));
  MOCK_METHOD(Result<void>, remove_file, (NodeId, Name, Context), (override));
  MOCK_METHOD(Result<void>, remove_directory, (NodeId, Name, Context), (override));
  MOCK_METHOD(Result<void>, rename, (NodeId, Name, NodeId, Name, RenameMode, Context), (override));
  MOCK_METHOD(Result<OpenReply>, open_file, (NodeId, int, const Caller&, Context), (override));
  MOCK_METHOD((Result<std::pair<NodeReply, OpenReply>>), create, (NodeId, Name, uint32_t, int, const Caller&, Context),
              (override));
  MOCK_METHOD(Result<size_t>, read, (HandleId, uint64_t, MutableByteView, Context), (override));
  MOCK_METHOD(Result<size_t>, write, (HandleId, uint64_t, ByteView, Context), (override));
  MOCK_METHOD(Result<size_t>, write_back, (NodeId, uint64_t, ByteView, Context), (override));
  MOCK_METHOD(Result<void>, allocate, (HandleId, int, uint64_t, uint64_t, Context), (override));
  MOCK_METHOD(Result<size_t>, copy, (HandleId, uint64_t, HandleId, uint64_t, uint64_t, Context), (override));
  MOCK_METHOD(Result<uint64_t>, seek, (HandleId, uint64_t, int, Context), (override));
  MOCK_METHOD(Result<void>, flush, (HandleId, Context), (override));
  MOCK_METHOD(Result<void>, sync, (HandleId, Context), (override));
  MOCK_METHOD(void, release, (HandleId), (override));
  MOCK_METHOD(Result<HandleId>, open_directory, (NodeId, const Caller&, Context), (override));
  MOCK_METHOD(Result<void>, read_directory, (HandleId, uint64_t, bool, const Emit&, Context), (override));
  MOCK_METHOD(Result<void>, sync_directory, (NodeId, Context), (override));
  MOCK_METHOD(void, release_directory, (HandleId), (override));
  MOCK_METHOD(Result<std::string>, get_xattr, (NodeId, Name, Context), (override));
  MOCK_METHOD(Result<std::vector<std::string>>, list_xattrs, (NodeId, Context), (override));
  MOCK_METHOD(Result<void>, set_xattr, (NodeId, Name, Name, int, Context), (override));
  MOCK_METHOD(Result<void>, remove_xattr, (NodeId, Name, Context), (override));
  MOCK_METHOD(Result<FileSystemStatfs>, statfs, (Context), (override));
  MOCK_METHOD(void, set_page_sink, (NodePageSink), (override));
  MOCK_METHOD(void, set_change_sink, (NodeChangeSink), (override));
  MOCK_METHOD(void, set_backings, (Result<std::shared_ptr<Backings>>), (override));
  MOCK_METHOD(void, set_space_source, (SpaceSource), (override));
  MOCK_METHOD(Result<Entry>, entry_at, (const std::string&, Context), (override));
  MOCK_METHOD(Result<void>, shut_down, (Context), (override));
  MOCK_METHOD(FileSystemStats, stats, (), (const, override));
  MOCK_METHOD(std::vector<UnpublishedFile>, unpublished, (), (const, override));
  MOCK_METHOD(Result<void>, sync_all, (const RequestContext&), (override));
  MOCK_METHOD(Result<void>, publish_kept, (uint64_t, const RequestContext&), (override));
  MOCK_METHOD(Result<void>, discard_kept, (uint64_t), (override));
  MOCK_METHOD(Result<void>, export_kept, (uint64_t, const std::string&, const RequestContext&), (override));
};

}  // namespace cairn
