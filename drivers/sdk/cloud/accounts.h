// What a driver keeps of each account at its provider: connection, token, rate limit.
#ifndef DRIVERS_SDK_CLOUD_ACCOUNTS_H_
#define DRIVERS_SDK_CLOUD_ACCOUNTS_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "services/common/crypto/digest.h"

namespace machine::driver {

/// One `Account` for each set of credentials, made when it is first asked for; those that were idle
/// longest are forgotten. Thread-safe.
template <typename Account>
class Accounts {
 public:
  explicit Accounts(size_t capacity = 256) : capacity_(capacity) {}

  /// The account of `identity`: endpoint and credentials, in one text. `make` must not block.
  std::shared_ptr<Account> Of(absl::string_view identity,
                              absl::FunctionRef<std::shared_ptr<Account>()> make) {
    std::string digest = common::Sha256(identity);
    absl::MutexLock lock(&mu_);
    const auto known = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.first == digest; });
    if (known != entries_.end()) {
      std::rotate(known, known + 1, entries_.end());
      return entries_.back().second;
    }
    if (entries_.size() >= capacity_) entries_.erase(entries_.begin());
    entries_.emplace_back(std::move(digest), make());
    return entries_.back().second;
  }

 private:
  using Entry = std::pair<std::string, std::shared_ptr<Account>>;

  const size_t capacity_;
  absl::Mutex mu_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mu_);  // The last one was used last.
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_ACCOUNTS_H_
