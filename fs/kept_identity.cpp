#include "fs/kept_identity.h"

#include <nlohmann/json.hpp>

namespace cairn {

std::string KeptIdentity::to_json() const {
  const nlohmann::json json = {{"directory", directory},
                               {"name", name},
                               {"path", path},
                               {"id", file.id},
                               {"mode", file.attributes.mode},
                               {"uid", file.attributes.uid},
                               {"gid", file.attributes.gid},
                               {"session", session},
                               {"mtime_ns", mtime}};
  return json.dump();
}

Result<KeptIdentity> KeptIdentity::from_json(const std::string& text) {
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    KeptIdentity identity;
    json.at("directory").get_to(identity.directory);
    json.at("name").get_to(identity.name);
    json.at("path").get_to(identity.path);
    json.at("id").get_to(identity.file.id);
    json.at("mode").get_to(identity.file.attributes.mode);
    json.at("uid").get_to(identity.file.attributes.uid);
    json.at("gid").get_to(identity.file.attributes.gid);
    json.at("session").get_to(identity.session);
    json.at("mtime_ns").get_to(identity.mtime);
    if (!is_valid_name(identity.name) || identity.file.id == 0) return fail(Errc::corrupt, "no file's name or id");
    return identity;
  } catch (const nlohmann::json::exception& problem) {
    return fail(Errc::corrupt, "a kept draft's identity: {}", problem.what());
  }
}

}  // namespace cairn
