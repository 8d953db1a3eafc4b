#include "services/orchestrator/store/postgres_pool.h"

#include <utility>

#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr char kBegin[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresPool::Begin() {
  {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &PostgresPool::MayBegin));
    if (!closed_.ok()) return closed_;
    ++in_use_;
  }
  absl::StatusOr<std::unique_ptr<PostgresConnection>> connection = BeginOne();
  if (!connection.ok()) End(nullptr);
  return connection;
}

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresPool::BeginOne() {
  for (;;) {
    std::unique_ptr<PostgresConnection> connection;
    {
      absl::MutexLock lock(&mu_);
      if (!idle_.empty()) {
        connection = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (connection == nullptr) break;
    // One that was lost while nobody used it is replaced without a word.
    if (connection->Execute(kBegin).ok()) return connection;
  }
  DM_ASSIGN_OR_RETURN(std::unique_ptr<PostgresConnection> connection,
                      PostgresConnection::Connect(address_, idle_limit_));
  DM_RETURN_IF_ERROR(connection->Execute(kBegin));
  return connection;
}

void PostgresPool::End(std::unique_ptr<PostgresConnection> connection) {
  // One that cannot end its transaction would keep an old view: it is not used again.
  const bool usable = connection != nullptr && connection->Execute("ROLLBACK").ok();
  absl::MutexLock lock(&mu_);
  --in_use_;
  if (usable && closed_.ok()) idle_.push_back(std::move(connection));
}

void PostgresPool::Close(absl::Status cause) {
  std::vector<std::unique_ptr<PostgresConnection>> lost;
  absl::MutexLock lock(&mu_);
  closed_ = std::move(cause);
  lost.swap(idle_);
}

void PostgresPool::Open() {
  absl::MutexLock lock(&mu_);
  closed_ = absl::OkStatus();
}

}  // namespace machine::orchestrator
