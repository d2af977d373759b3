#include "cli/mount_client.h"

#include "daemon/local_paths.h"

namespace cairn {

Error explain_silence(const Error& error, const std::string& mountpoint) {
  switch (error.code()) {
    case Errc::not_found:
      return {error.code(),
              fmt::format("{}: no daemon of it is known here: it has died (`cairnfs umount {}` clears the "
                          "mountpoint), or another user or CAIRNFS_RUNTIME_DIR has it",
                          mountpoint, mountpoint)};
    case Errc::unavailable:
      return {error.code(),
              fmt::format("{}: its daemon is gone; `cairnfs umount {}` clears the mountpoint", mountpoint, mountpoint)};
    case Errc::deadline_exceeded:
      return {error.code(), fmt::format("{}: its daemon does not answer; its log says why, and `cairnfs umount --force "
                                        "{}` ends it",
                                        mountpoint, mountpoint)};
    case Errc::permission_denied:
      return {error.code(), fmt::format("{}: it was mounted by another user; ask as that user or as root", mountpoint)};
    default: return error.in(mountpoint);
  }
}

Result<Json> call_mount(const Streams& streams, const std::string& mountpoint, const Json& request,
                        std::chrono::nanoseconds silence, const ProgressFunction& progress) {
  Result<ControlCall> call = ControlCall::send(find_control_socket(streams.host, mountpoint), request);
  if (!call) return fail(explain_silence(call.error(), mountpoint));
  Result<Json> answer = call->wait(silence, progress);
  if (!call->answered()) return fail(explain_silence(answer.error(), mountpoint));
  return answer;
}

Result<MountPoint> find_mount(const std::string& path, const Streams& streams) {
  const std::vector<MountPoint> mounts = cairnfs_mounts(streams.host);
  const Result<Location> location = locate(path, streams.host.directory, mounts);
  if (!location) return fail(location.error());
  return *mount_at(mounts, location->mountpoint);
}

}  // namespace cairn
