#include "tests/model/failing_hosts.h"

#include <fcntl.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <thread>

#include "store/check/check.h"

namespace cairn::model {

namespace {

constexpr std::array<const char*, 12> kEventNames = {"save",    "patch", "abandon", "cut",    "unheard",  "heal",
                                                     "restart", "kill",  "unlink",  "rename", "exchange", "look"};
const std::vector<std::string> kNames = {"S/x", "S/y", "T/x", "T/y"};

const std::string& name_of(int number) { return kNames[static_cast<size_t>(number)]; }

std::string file_content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What content of ours this is, for people.
std::string title(const std::string& content) { return content.substr(0, content.find(';')); }

}  // namespace

std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << kEventNames[static_cast<size_t>(step.event)] << "(host " << step.host << ", '" << name_of(step.name)
             << "', '" << name_of(step.other) << "', length " << step.length << ")";
}

rc::Gen<std::vector<Step>> steps() {
  const auto event = rc::gen::weightedElement<Event>({{6, Event::save},
                                                      {3, Event::patch},
                                                      {1, Event::abandon},
                                                      {3, Event::cut},
                                                      {2, Event::unheard},
                                                      {3, Event::heal},
                                                      {1, Event::restart},
                                                      {1, Event::kill},
                                                      {1, Event::unlink},
                                                      {2, Event::rename},
                                                      {1, Event::exchange},
                                                      {3, Event::look}});
  const auto names = rc::gen::weightedElement<int>({{6, 0}, {1, 1}, {2, 2}, {1, 3}});  // most meet in one name
  return rc::gen::container<std::vector<Step>>(
      rc::gen::build<Step>(rc::gen::set(&Step::event, event), rc::gen::set(&Step::host, rc::gen::inRange(0, 2)),
                           rc::gen::set(&Step::name, names), rc::gen::set(&Step::other, names),
                           rc::gen::set(&Step::length, rc::gen::element(20, 5000, 100'000))));
}

FailingHosts::FailingHosts() : witness_(store_.objects(), {.host = "witness"}) {
  for (size_t i = 0; i < sides_.size(); ++i) {
    sides_[i].network = std::make_unique<FaultyObjectStore>(store_.objects());
    sides_[i].host = std::make_unique<TestHost>(*sides_[i].network, TestHostOptions{.host = fmt::format("host-{}", i)});
  }
  for (const char* directory : {"S", "T"}) RC_ASSERT(errno_of(witness_.mkdir(directory)) == 0);
  for (const std::string& name : kNames) may_show_[name] = {""};
}

std::string FailingHosts::play(const Step& step) {
  Side& side = sides_[static_cast<size_t>(step.host)];
  for (Side& each : sides_) each.host->clock().advance(std::chrono::seconds(10));
  witness_.clock().advance(std::chrono::seconds(10));
  switch (step.event) {
    case Event::save: write(step, false); break;
    case Event::patch: write(step, true); break;
    case Event::abandon: abandon(step); break;
    case Event::cut: break_network(side, false); break;
    case Event::unheard: break_network(side, true); break;
    case Event::heal: heal(side); break;
    case Event::restart: come_back(side, true); break;
    case Event::kill: come_back(side, false); break;
    case Event::unlink: unlink(step); break;
    case Event::rename: rename(step); break;
    case Event::exchange: return exchange(step);
    case Event::look: return look();
  }
  return {};
}

std::string FailingHosts::fresh_content(int length) {
  std::string content = fmt::format("save {};", ++writes_);
  content.resize(static_cast<size_t>(length), static_cast<char>('a' + writes_ % 26));
  return content;
}

void FailingHosts::write(const Step& step, bool patches) {
  TestHost& host = *sides_[static_cast<size_t>(step.host)].host;
  const auto handle = host.open(name_of(step.name), patches ? O_RDWR : O_RDWR | O_CREAT | O_TRUNC);
  if (!handle) return;
  const auto before = host.read(*handle);
  const std::string fresh = fresh_content(step.length);
  const auto written = before ? host.pwrite(*handle, 0, fresh) : 0;  // or nobody could say what is to be seen
  const auto closed = host.close(*handle);
  if (!before || !written) return;
  saved(step, fresh + (before->size() > fresh.size() ? before->substr(fresh.size()) : ""), closed.has_value());
}

void FailingHosts::saved(const Step& step, const std::string& content, bool acknowledged) {
  const std::string& name = name_of(step.name);
  saves_.push_back({content, name, step.host, acknowledged, false});
  if (acknowledged) may_show_[name].clear();
  may_show_[name].insert(content);
}

void FailingHosts::abandon(const Step& step) {
  Side& side = sides_[static_cast<size_t>(step.host)];
  const auto handle = side.host->open(name_of(step.name), O_RDWR | O_CREAT | O_TRUNC);
  const std::string content = fresh_content(step.length);
  if (handle && side.host->pwrite(*handle, 0, content)) never_closed_.insert(content);
  come_back(side, false);
}

void FailingHosts::break_network(Side& side, bool unheard) {
  heal(side);
  side.broken = true;
  if (!unheard) return side.network->add({.times = kEveryTime});
  side.network->add({.operation = ObjectOperation::put_if_absent,
                     .key_prefix = "dirs/",
                     .times = kEveryTime,
                     .effect = FaultEffect::fail_after});
  for (const auto operation : {ObjectOperation::get, ObjectOperation::list, ObjectOperation::head}) {
    side.network->add({.operation = operation, .times = kEveryTime});
  }
}

void FailingHosts::heal(Side& side) {
  side.network->heal();
  side.broken = false;
}

// With its network: a host that cannot look at its store does not start.
void FailingHosts::come_back(Side& side, bool orderly) {
  if (orderly) (void)side.host->files().shut_down(test_context());
  heal(side);
  side.host->kill_and_restart();
}

std::set<std::string> FailingHosts::failed_on(const std::string& name, int side) const {
  std::set<std::string> contents;
  for (const Saved& save : saves_) {
    if (!save.acknowledged && !save.given_up && save.name == name && save.side == side) contents.insert(save.content);
  }
  return contents;
}

void FailingHosts::unlink(const Step& step) {
  Side& side = sides_[static_cast<size_t>(step.host)];
  const std::string& name = name_of(step.name);
  if (!side.host->unlink(name)) return;
  for (Saved& save : saves_) save.given_up |= save.name == name && save.side == step.host;
  if (commit_all(*side.host, name.substr(0, 1)) && !side.broken) may_show_[name] = failed_on(name, 1 - step.host);
  may_show_[name].insert("");
}

// What failed on the other host is found again by the file's id, or appears where the store has never heard of it.
void FailingHosts::rename(const Step& step) {
  Side& side = sides_[static_cast<size_t>(step.host)];
  const std::string& from = name_of(step.name);
  const std::string& to = name_of(step.other);
  const bool was_broken = side.broken;
  const auto renamed = side.host->rename(from, to);
  if (from == to || (!renamed && !was_broken)) return;
  auto moved = may_show_[from];
  if (!renamed) moved.merge(std::set<std::string>(may_show_[to]));
  may_show_[to] = moved;
  if (renamed) may_show_[from] = failed_on(from, 0);
  if (renamed) may_show_[from].merge(failed_on(from, 1));
  may_show_[from].insert("");
  for (Saved& save : saves_) {
    if (renamed && save.side == step.host && save.name == from) save.name = to;
  }
}

// Whatever comes of it, what both names had is still somewhere.
std::string FailingHosts::exchange(const Step& step) {
  Side& side = sides_[static_cast<size_t>(step.host)];
  const std::string& one = name_of(step.name % 2);
  const std::string& two = name_of(2 + step.other % 2);
  heal(side);
  const std::string before_one = shown(one);
  const std::string before_two = shown(two);
  side.network->add({.operation = ObjectOperation::put_if_absent,
                     .key_prefix = "dirs/",
                     .nth = static_cast<uint64_t>(1 + step.length % 3),
                     .effect = FaultEffect::crash_after});
  (void)side.host->rename(one, two, RenameMode::exchange);
  come_back(side, false);
  std::set<std::string> either = may_show_[one];
  either.merge(std::set<std::string>(may_show_[two]));
  may_show_[one] = may_show_[two] = either;
  // In between, what is exchanged is under none of the names: it appears when somebody has completed the move, which a
  // thread of a busy machine does in its own time.
  std::string lost;
  for (const auto patience = test_context(); patience.check();) {
    witness_.clock().advance(std::chrono::seconds(10));
    const std::set<std::string> after = shown_anywhere();
    const auto is_there = [&](const std::string& content) { return content.empty() || after.contains(content); };
    lost = !is_there(before_one) ? one : !is_there(before_two) ? two : "";
    if (lost.empty()) return {};
    std::this_thread::yield();
  }
  return fmt::format("'{}' lost its content", lost);
}

// Current contents, and what a kept draft took the place of meanwhile.
std::set<std::string> FailingHosts::shown_anywhere() {
  std::set<std::string> contents;
  bool is_late = false;
  for (const std::string directory : {"S", "T"}) {
    commit_all(witness_, directory);
    for (const std::string& name : witness_.list(directory).value_or(std::vector<std::string>())) {
      const std::string content = shown(fmt::format("{}/{}", directory, name));
      is_late |=
          std::ranges::any_of(saves_, [&](const Saved& save) { return !save.acknowledged && save.content == content; });
      contents.insert(content);
    }
  }
  (void)look_at_history();
  if (is_late) contents.insert(published_.begin(), published_.end());
  return contents;
}

bool FailingHosts::commit_all(TestHost& host, const std::string& directory) {
  const auto held = host.hold(directory);
  if (!held) return false;
  const auto done = host.files().sync_directory(held->node, test_context());
  host.files().forget(held->node, 1);
  return done.has_value();
}

std::string FailingHosts::shown(const std::string& name) { return witness_.read(name).value_or(""); }

std::string FailingHosts::look() {
  for (const std::string& name : kNames) {
    const std::string content = shown(name);
    if (!may_show_[name].contains(content)) return fmt::format("'{}' shows '{}'", name, title(content));
  }
  return look_at_history();
}

std::string FailingHosts::look_at_history() {
  published_.clear();
  for (const std::string directory : {"S", "T"}) {
    const auto names = witness_.list(directory + "/.versions");
    for (const std::string& name : names ? *names : std::vector<std::string>()) {
      const std::string versions = directory + "/.versions/" + name;
      for (const std::string& number : witness_.list(versions).value_or(std::vector<std::string>())) {
        const auto content = witness_.read(versions + "/" + number);
        if (!content) return fmt::format("{}/{}: {}", versions, number, content.error().to_string());
        if (never_closed_.contains(*content)) return fmt::format("'{}' was never closed", title(*content));
        published_.insert(*content);
      }
    }
  }
  const auto is_known = [&](const std::string& content) {
    return content.empty() || std::ranges::any_of(saves_, [&](const Saved& save) { return save.content == content; });
  };
  for (const std::string& content : published_) {
    if (!is_known(content)) return fmt::format("'{}' ({} bytes) was never saved", title(content), content.size());
  }
  return {};
}

std::set<std::string> FailingHosts::kept_contents() {
  std::set<std::string> contents;
  TemporaryDirectory local;
  for (Side& side : sides_) {
    for (const UnpublishedFile& file : side.host->files().unpublished()) {
      const std::string path = local.path() / fmt::format("{}", contents.size());
      if (side.host->files().export_kept(file.number, path, test_context())) contents.insert(file_content(path));
    }
  }
  return contents;
}

std::string FailingHosts::account_for(const std::set<std::string>& kept) {
  for (const Saved& save : saves_) {
    if (published_.contains(save.content)) continue;
    if (save.acknowledged) return fmt::format("'{}' was acknowledged, and is gone", title(save.content));
    if (!save.given_up && !kept.contains(save.content)) return fmt::format("'{}' is not kept", title(save.content));
  }
  return {};
}

std::string FailingHosts::finish() {
  for (Side& side : sides_) come_back(side, true);
  for (Side& side : sides_) {
    (void)side.host->files().shut_down(test_context());
    for (const UnpublishedFile& file : side.host->files().unpublished()) {
      if (file.state == "waiting") return fmt::format("kept draft {} still waits: {}", file.number, file.error);
    }
  }
  if (auto wrong = look(); !wrong.empty()) return wrong;
  if (auto wrong = account_for(kept_contents()); !wrong.empty()) return wrong;
  const auto report = check_store(store_.objects(), {.read_data = true, .progress = {}}, test_context());
  if (!report) return report.error().to_string();
  return report->clean() ? "" : "check: " + report->findings.front().message;
}

}  // namespace cairn::model
