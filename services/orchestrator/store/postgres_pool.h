// Connections for reading, shared by many threads.
#ifndef SERVICES_ORCHESTRATOR_STORE_POSTGRES_POOL_H_
#define SERVICES_ORCHESTRATOR_STORE_POSTGRES_POOL_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/orchestrator/store/postgres_address.h"
#include "services/orchestrator/store/postgres_connection.h"

namespace machine::orchestrator {

/// Thread-safe.
class PostgresPool {
 public:
  PostgresPool(const PostgresAddress& address, absl::Duration idle_limit)
      : address_(address), idle_limit_(idle_limit) {}

  /// A connection in a new transaction that reads one view. Waits while all are in use; after
  /// Close(), fails with its status at once.
  absl::StatusOr<std::unique_ptr<PostgresConnection>> Begin();
  /// Gives one back.
  void End(std::unique_ptr<PostgresConnection> connection);

  /// Until Open(), Begin() fails with `cause`.
  void Close(absl::Status cause);
  void Open();

 private:
  // A server has 100 connections as it comes, for all orchestrators together.
  static constexpr int kMaxConnections = 8;

  bool MayBegin() const ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return in_use_ < kMaxConnections || !closed_.ok();
  }
  absl::StatusOr<std::unique_ptr<PostgresConnection>> BeginOne();

  const PostgresAddress& address_;
  const absl::Duration idle_limit_;
  absl::Mutex mu_;
  std::vector<std::unique_ptr<PostgresConnection>> idle_ ABSL_GUARDED_BY(mu_);
  int in_use_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status closed_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_POSTGRES_POOL_H_
