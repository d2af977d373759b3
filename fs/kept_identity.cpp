#include "fs/kept_identity.h"

#include <nlohmann/json.hpp>

namespace cairn {

namespace {

using Json = nlohmann::json;

Json to_json(const VersionStamp& stamp) { return Json::array({stamp.published, stamp.session}); }

// Throws what nlohmann throws.
VersionStamp stamp_from(const Json& json) { return {json.at(0).get<Nanos>(), json.at(1).get<uint64_t>()}; }

void read_history(const Json& json, KeptIdentity& identity) {
  identity.knows_base = json.contains("own");
  identity.published = json.value("published_ns", identity.mtime);
  if (json.contains("base")) identity.base = stamp_from(json.at("base"));
  identity.base_number = json.value("base_number", VersionNumber{0});
  for (const Json& stamp : json.value("own", Json::array())) identity.own.push_back(stamp_from(stamp));
  identity.was_listed = json.value("listed", false);
  identity.replaces = json.value("replaces", EntryId{0});
  identity.is_undecided = json.value("undecided", false);
  identity.is_anew = json.value("anew", false);
  identity.kept = json.value("kept_ns", Nanos{0});
  identity.order = json.value("order", uint64_t{0});
  identity.error = json.value("error", "");
}

}  // namespace

std::string KeptIdentity::to_json() const {
  Json json = {{"directory", directory},
               {"name", name},
               {"path", path},
               {"id", file.id},
               {"mode", file.attributes.mode},
               {"uid", file.attributes.uid},
               {"gid", file.attributes.gid},
               {"session", session},
               {"published_ns", published},
               {"mtime_ns", mtime},
               {"own", Json::array()},
               {"base_number", base_number},
               {"listed", was_listed},
               {"replaces", replaces},
               {"undecided", is_undecided},
               {"anew", is_anew},
               {"kept_ns", kept},
               {"order", order},
               {"error", error}};
  if (base) json["base"] = cairn::to_json(*base);
  for (const VersionStamp& stamp : own) json["own"].push_back(cairn::to_json(stamp));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<KeptIdentity> KeptIdentity::from_json(const std::string& text) {
  try {
    const Json json = Json::parse(text);
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
    read_history(json, identity);
    if (!is_valid_name(identity.name) || identity.file.id == 0) return fail(Errc::corrupt, "no file's name or id");
    return identity;
  } catch (const Json::exception& problem) {
    return fail(Errc::corrupt, "a kept draft's identity: {}", problem.what());
  }
}

}  // namespace cairn
