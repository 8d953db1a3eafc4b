#include "services/orchestrator/store/store_contract.h"

#include "absl/strings/str_cat.h"
#include "services/orchestrator/store/sqlite_store.h"

namespace machine::orchestrator {

std::vector<StoreFactory> StoreFactories() {
  return {{"Sqlite",
           [](const std::string& folder,
              const common::Clock& clock) -> absl::StatusOr<std::unique_ptr<Store>> {
             DM_ASSIGN_OR_RETURN(std::unique_ptr<SqliteStore> store,
                                 SqliteStore::Open(absl::StrCat(folder, "/it's.db"), clock));
             return store;
           }}};
}

std::string FactoryLabel(const testing::TestParamInfo<StoreFactory>& info) {
  return info.param.label;
}

}  // namespace machine::orchestrator
