// The rules of extended attributes, as xattr(7) and the man pages of its calls have them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "store/format/entry.h"

namespace cairn {

inline constexpr size_t kMaxXattrNameBytes = 255;
inline constexpr size_t kMaxXattrValueBytes = 64U << 10;
// Names and values of one file: they sit in its directory's records.
inline constexpr size_t kMaxXattrTotalBytes = 128U << 10;

// Whether `name` can be an attribute of a `kind` at all. Any namespace but system.* and security.capability, so that
// cp -a and rsync -X find room for what they bring.
// Failures: ERANGE (length), EOPNOTSUPP (namespace), EINVAL (nothing after "user."), EPERM (user.* of what is neither
// file nor directory).
Result<void> check_xattr_name(Kind kind, const std::string& name);

// Failures: ENODATA.
Result<std::string> get_xattr(const Attributes& attributes, const std::string& name);
// Failures: E2BIG, ENOSPC (the total), EEXIST, ENODATA, EINVAL (flags).
Result<void> set_xattr(Attributes& attributes, const std::string& name, const std::string& value, int flags);
// Failures: ENODATA.
Result<void> remove_xattr(Attributes& attributes, const std::string& name);

}  // namespace cairn
