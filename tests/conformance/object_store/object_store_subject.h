// Everything that claims to be an ObjectStore, for the one suite that holds them to it.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "remote/object_store.h"

namespace cairn {

// An empty store with all that it needs around it.
class ObjectStoreSubject {
 public:
  virtual ~ObjectStoreSubject() = default;
  virtual ObjectStore& store() = 0;
};

struct ObjectStoreKind {
  std::string name;
  std::function<Result<std::unique_ptr<ObjectStoreSubject>>()> make;  // a failure's message is the reason to skip
};

// How gtest prints one.
inline void PrintTo(const ObjectStoreKind& kind, std::ostream* out) { *out << kind.name; }

// A new implementation or decorator joins here.
std::vector<ObjectStoreKind> object_store_kinds();

}  // namespace cairn
