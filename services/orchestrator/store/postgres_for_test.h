// A real PostgreSQL server for tests: Debian's programs on a folder of their own, reached by a Unix
// socket only, durable as it comes.
#ifndef SERVICES_ORCHESTRATOR_STORE_POSTGRES_FOR_TEST_H_
#define SERVICES_ORCHESTRATOR_STORE_POSTGRES_FOR_TEST_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/process/process.h"

namespace machine::orchestrator {

/// Runs until it goes. Errors of methods are the tests' to report. Not thread-safe.
class PostgresForTest {
 public:
  /// Whether the programs are installed; without them a test is skipped by name.
  static bool Installed();

  /// Makes a database cluster and starts its server, as user postgres when this is root, whom it
  /// refuses.
  static absl::StatusOr<std::unique_ptr<PostgresForTest>> Start();
  /// Ends the server at once and removes its folder.
  ~PostgresForTest();

  PostgresForTest(const PostgresForTest&) = delete;
  PostgresForTest& operator=(const PostgresForTest&) = delete;

  /// An empty database, made the first time it is asked for; its URL.
  absl::StatusOr<std::string> Database(absl::string_view name);
  /// Runs SQL in a database; the rows as psql prints them, without titles.
  absl::StatusOr<std::string> Run(absl::string_view database, absl::string_view sql);

  /// As an operator would with "immediate", which loses the connections and recovers by the log.
  absl::Status Stop();
  /// Again after Stop(); returns when it takes connections.
  absl::Status StartServer();

 private:
  explicit PostgresForTest(std::string folder) : folder_(std::move(folder)) {}

  absl::Status MakeCluster();

  const std::string folder_;
  std::optional<common::Process> server_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_POSTGRES_FOR_TEST_H_
