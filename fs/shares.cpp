#include "fs/shares.h"

#include <cerrno>

#include "base/posix_error.h"

namespace cairn {

Result<Shares::Lease> Shares::take(uint32_t uid) {
  const MutexLock lock(mutex_);
  if (taken_ == most_) return fail_posix(ENFILE, "all {} {} of this mount are taken", most_, what_);
  const auto found = by_user_.find(uid);
  const uint64_t has = found == by_user_.end() ? 0 : found->second;
  const bool is_bounded = uid != 0 && uid != own_uid_;
  if (is_bounded && has + 1 > most_ - taken_ - 1) {
    return fail_posix(ENFILE, "user {} has {} of this mount's {} {}, as many as are left for all: close some", uid, has,
                      most_, what_);
  }
  ++taken_;
  by_user_[uid] = has + 1;
  return Lease(this, uid);
}

void Shares::give_back(uint32_t uid) {
  const MutexLock lock(mutex_);
  --taken_;
  const auto found = by_user_.find(uid);
  if (--found->second == 0) by_user_.erase(found);
}

}  // namespace cairn
