#include "tests/crash/script.h"

#include <fcntl.h>

namespace cairn {

namespace {

// Several chunks of 64 KiB, the last one short, that do not compress.
std::string shard(uint64_t seed) {
  const Buffer bytes = random_bytes(200'000, seed);
  return std::string(as_text(bytes.view()));
}

// Builds the steps together with the trees they promise.
class Script {
 public:
  void mkdir(const std::string& path) {
    Tree after = tree_;
    after[path] = kIsDirectory;
    add(
        "mkdir " + path, [=](TestHost& host) { return host.mkdir(path); }, after);
  }

  void rmdir(const std::string& path) {
    Tree after = tree_;
    after.erase(path);
    add(
        "rmdir " + path, [=](TestHost& host) { return host.rmdir(path); }, after);
  }

  // A plain create is committed by itself: the name may be found empty.
  void write(const std::string& path, const std::string& content) {
    Tree after = tree_;
    after[path] = content;
    std::vector<Tree> within;
    if (!tree_.contains(path)) {
      within.push_back(tree_);
      within.back()[path] = "";
    }
    add(
        "write " + path, [=](TestHost& host) { return host.write(path, content); }, after, within);
  }

  void append(const std::string& path, const std::string& more) {
    Tree after = tree_;
    after[path] += more;
    const uint64_t offset = tree_.at(path).size();
    const auto run = [=](TestHost& host) -> Result<void> {
      auto handle = host.open(path, O_WRONLY);
      if (!handle) return fail(std::move(handle).error());
      auto written = host.pwrite(*handle, offset, more);
      auto closed = host.close(*handle);
      return written ? closed : fail(written.error());
    };
    add("append to " + path, run, after);
  }

  void create_exclusively(const std::string& path) {
    Tree after = tree_;
    after[path] = "";
    const auto run = [=](TestHost& host) -> Result<void> {
      auto handle = host.open(path, O_WRONLY | O_CREAT | O_EXCL);
      if (!handle) return fail(std::move(handle).error());
      return host.close(*handle);
    };
    add("create " + path, run, after);
  }

  // Unlinks are committed later; fsync of the directory says when.
  void unlink(const std::string& directory, const std::string& name) {
    Tree after = tree_;
    after.erase(directory + "/" + name);
    const auto run = [=](TestHost& host) -> Result<void> {
      if (auto unlinked = host.unlink(directory + "/" + name); !unlinked) return unlinked;
      const auto node = host.hold(directory);
      if (!node) return fail(node.error());
      auto synced = host.files().sync_directory(node->node, test_context());
      host.files().forget(node->node, 1);
      return synced;
    };
    add("unlink and sync " + name, run, after);
  }

  void rename(const std::string& from, const std::string& to) {
    Tree after;
    for (const auto& [path, content] : tree_) {
      if (!is_at_or_below(path, to)) after[moved(path, from, to)] = content;
    }
    // An empty directory that is replaced is sealed first: it may be found gone, with nothing in its place yet.
    std::vector<Tree> within;
    if (tree_.contains(to) && tree_.at(to) == kIsDirectory) {
      within.push_back(tree_);
      within.back().erase(to);
    }
    add(
        "rename " + from + " to " + to, [=](TestHost& host) { return host.rename(from, to); }, after, within);
  }

  void exchange(const std::string& one, const std::string& other) {
    Tree after;
    for (const auto& [path, content] : tree_) {
      after[is_at_or_below(path, one) ? moved(path, one, other) : moved(path, other, one)] = content;
    }
    const auto run = [=](TestHost& host) { return host.rename(one, other, RenameMode::exchange); };
    add("exchange " + one + " and " + other, run, after);
  }

  [[nodiscard]] std::vector<Step> take() { return std::move(steps_); }

 private:
  static bool is_at_or_below(const std::string& path, const std::string& top) {
    return path == top || path.starts_with(top + "/");
  }
  static std::string moved(const std::string& path, const std::string& from, const std::string& to) {
    return is_at_or_below(path, from) ? to + path.substr(from.size()) : path;
  }
  void add(std::string what, std::function<Result<void>(TestHost&)> run, Tree after, std::vector<Tree> within = {}) {
    tree_ = after;
    steps_.push_back({std::move(what), std::move(run), std::move(after), std::move(within)});
  }

  Tree tree_;
  std::vector<Step> steps_;
};

}  // namespace

std::vector<Step> checkpoint_script() {
  Script script;
  script.mkdir("run");
  script.write("run/config.json", "{\"steps\": 100}");
  script.write("run/model.tmp", shard(1));
  script.rename("run/model.tmp", "run/model");
  script.write("run/model.tmp", shard(2));
  script.rename("run/model.tmp", "run/model");
  script.append("run/model", shard(3));
  script.write("run/config.json", "{\"steps\": 200}");

  script.mkdir("run/tmp-ckpt");
  script.write("run/tmp-ckpt/rank0", shard(4));
  script.write("run/tmp-ckpt/rank1", shard(5));
  script.mkdir("run/ckpt");
  script.rename("run/tmp-ckpt", "run/ckpt");

  script.mkdir("archive");
  script.rename("run/model", "archive/model");
  script.write("run/model", shard(6));
  script.rename("run/model", "archive/model");
  script.rename("run/ckpt", "archive/ckpt");
  script.exchange("run/config.json", "archive/model");
  script.exchange("archive/ckpt", "run/config.json");
  script.rename("run/config.json/rank0", "archive/rank0");

  script.create_exclusively("run/lock");
  script.unlink("run", "lock");
  script.unlink("run/config.json", "rank1");
  script.rmdir("run/config.json");
  script.write("archive/rank0", shard(4));
  return script.take();
}

}  // namespace cairn
