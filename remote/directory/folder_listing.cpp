#include "remote/directory/folder_listing.h"

#include <algorithm>
#include <functional>

#include "remote/object_rules.h"

namespace cairn {

namespace {

// Fills one page by walking folders in order of key. A folder's name counts with its slash, because that is how its
// keys sort among its siblings: "a-b" < "a/b" < "a0".
class PageWalk {
 public:
  PageWalk(const std::string& prefix, const std::string& start_after, size_t limit, const RequestContext& context)
      : prefix_(prefix), start_after_(start_after), limit_(limit), context_(context) {}

  // Appends what `folder`, whose keys begin with `path` ("" or "dirs/1/"), adds to the page.
  Result<void> visit(const Folder& folder, const std::string& path);
  ListPage take_page() { return std::move(page_); }

 private:
  // Whether `key`, or a key below it when it ends with a slash, can be on the page.
  [[nodiscard]] bool is_wanted(const std::string& key) const;
  // The wanted names in `folder`, as a heap with the smallest on top: only those that fit on the page get sorted.
  Result<std::vector<std::string>> wanted_names(const Folder& folder, const std::string& path) const;
  Result<void> add_object(const Folder& folder, const std::string& path, const std::string& name);
  Result<void> enter(const Folder& folder, const std::string& path, const std::string& name);

  const std::string& prefix_;
  const std::string& start_after_;
  const size_t limit_;
  const RequestContext& context_;
  ListPage page_;
};

bool is_folder(const std::string& name) { return name.ends_with('/'); }

// What NFS makes of a file that is removed while open looks like an object; it is none any more.
bool is_nfs_leftover(std::string_view name) { return name.starts_with(".nfs"); }

bool PageWalk::is_wanted(const std::string& key) const {
  if (!is_folder(key)) return key.starts_with(prefix_) && key > start_after_;
  const bool meets_prefix = key.starts_with(prefix_) || std::string_view(prefix_).starts_with(key);
  return meets_prefix && (key > start_after_ || std::string_view(start_after_).starts_with(key));
}

Result<std::vector<std::string>> PageWalk::wanted_names(const Folder& folder, const std::string& path) const {
  std::vector<std::string> names;
  std::string key = path;
  const auto look_at = [&](std::string_view name, Folder::Kind kind) -> Result<void> {
    if (!is_key_component(name) || is_nfs_leftover(name)) return {};
    key.resize(path.size());
    key += name;
    if (kind == Folder::Kind::folder) key += '/';
    if (is_wanted(key)) names.push_back(key.substr(path.size()));
    return context_.check();
  };
  if (auto read = folder.for_each_name(look_at); !read) return fail(std::move(read).error());
  std::make_heap(names.begin(), names.end(), std::greater<>());
  return names;
}

Result<void> PageWalk::add_object(const Folder& folder, const std::string& path, const std::string& name) {
  if (page_.objects.size() == limit_) {
    page_.more = true;
    return {};
  }
  const auto size_bytes = folder.size_of(name);
  if (size_bytes) {
    page_.objects.push_back({path + name, *size_bytes});
  } else if (size_bytes.error().code() != Errc::not_found) {  // not found: removed since its name was read
    return fail(size_bytes.error());
  }
  return {};
}

Result<void> PageWalk::enter(const Folder& folder, const std::string& path, const std::string& name) {
  const std::string below = path + name;
  if (below.size() >= kMaxKeyBytes) return {};  // no key is that long
  const auto child = folder.open_folder(name.substr(0, name.size() - 1));
  if (child) return visit(*child, below);
  if (child.error().code() == Errc::not_found) return {};
  return fail(child.error());
}

Result<void> PageWalk::visit(const Folder& folder, const std::string& path) {
  auto names = wanted_names(folder, path);
  if (!names) return fail(std::move(names).error());
  while (!names->empty() && !page_.more) {
    std::pop_heap(names->begin(), names->end(), std::greater<>());
    const std::string name = std::move(names->back());
    names->pop_back();
    auto added = is_folder(name) ? enter(folder, path, name) : add_object(folder, path, name);
    if (!added) return added;
  }
  return {};
}

}  // namespace

Result<ListPage> list_below(const Folder& root, const std::string& prefix, const std::string& start_after, size_t limit,
                            const RequestContext& context) {
  const std::string_view start = folder_of(prefix);
  const auto folder = root.walk(start);
  if (!folder && folder.error().code() == Errc::not_found) return ListPage{};
  if (!folder) return fail(folder.error());
  PageWalk walk(prefix, start_after, limit, context);
  if (auto walked = walk.visit(*folder, prefix.substr(0, start.empty() ? 0 : start.size() + 1)); !walked) {
    return fail(std::move(walked).error());
  }
  return walk.take_page();
}

}  // namespace cairn
