#include "services/orchestrator/store/store_contract.h"

#include "absl/strings/str_cat.h"
#include "services/orchestrator/store/postgres_for_test.h"
#include "services/orchestrator/store/postgres_store.h"
#include "services/orchestrator/store/sqlite_store.h"

namespace machine::orchestrator {
namespace {

absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(const std::string& folder,
                                                  const common::Clock& clock) {
  return SqliteStore::Open(absl::StrCat(folder, "/it's.db"), clock);
}

// One server for all tests of a process.
PostgresForTest& Server() {
  static const std::unique_ptr<PostgresForTest> server = PostgresForTest::Start().value();
  return *server;
}

// Each folder has a database of its own.
std::string DatabaseOf(const std::string& folder) { return folder.substr(folder.rfind('/') + 1); }

absl::StatusOr<std::unique_ptr<Store>> OpenPostgres(const std::string& folder,
                                                    const common::Clock& clock) {
  DM_ASSIGN_OR_RETURN(const std::string url, Server().Database(DatabaseOf(folder)));
  DM_ASSIGN_OR_RETURN(PostgresAddress address, PostgresAddress::Parse(url));
  return PostgresStore::Open(std::move(address), SharedLeaseTimes(absl::Seconds(30)), clock);
}

void ExpirePostgres(const std::string& folder) {
  const auto done = Server().Run(DatabaseOf(folder), "UPDATE operations SET lease_until = 0");
  EXPECT_TRUE(done.ok()) << done.status();
}

}  // namespace

std::vector<StoreFactory> StoreFactories() {
  return {
      {"Sqlite", OpenSqlite, [](const std::string&) {}, ""},
      {"Postgres", OpenPostgres, ExpirePostgres,
       PostgresForTest::Installed() ? "" : "PostgreSQL 15 is not installed"},
  };
}

std::string FactoryLabel(const testing::TestParamInfo<StoreFactory>& info) {
  return info.param.label;
}

}  // namespace machine::orchestrator
