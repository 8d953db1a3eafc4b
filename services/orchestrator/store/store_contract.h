// The fixture of the tests that every Store has to pass. Another implementation joins by a row in
// StoreFactories().
#ifndef SERVICES_ORCHESTRATOR_STORE_STORE_CONTRACT_H_
#define SERVICES_ORCHESTRATOR_STORE_STORE_CONTRACT_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/clock/clock.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/store.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {

struct StoreFactory {
  std::string label;
  /// Opens the store that lives in `folder`, and makes it the first time.
  std::function<absl::StatusOr<std::unique_ptr<Store>>(const std::string& folder,
                                                       const common::Clock& clock)>
      open;
  /// Makes every lease in `folder` run out now. Does nothing where only a store that is opened anew
  /// frees operations of others.
  std::function<void(const std::string& folder)> expire_leases;
  /// Why it cannot be tested here; empty when it can.
  std::string missing;
};

inline void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.label; }

class StoreContractTest : public testing::TestWithParam<StoreFactory> {
 protected:
  void SetUp() override {
    if (!GetParam().missing.empty()) GTEST_SKIP() << GetParam().missing;
    folder_ = NewTestFolder();
    Reopen();
  }

  void Reopen() {
    store_ = nullptr;
    absl::StatusOr<std::unique_ptr<Store>> store = GetParam().open(folder_, clock_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  absl::Status Write(Store::Work work) { return store_->WriteAndWait(std::move(work)); }

  // What `find` (a call of a StoreReader) gives on the last commit.
  template <typename Find>
  auto Get(Find find) {
    using Result = decltype(find(std::declval<StoreReader&>()));
    Result result = absl::UnknownError("not read");
    const absl::Status status = store_->Read([&](StoreReader& reader) {
      result = find(reader);
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(result.ok()) << result.status();
    return *std::move(result);
  }

  std::optional<MachineRecord> Machine(absl::string_view name) {
    return Get([&](StoreReader& reader) { return reader.FindMachineByName(name); });
  }
  std::optional<OperationRecord> Operation(absl::string_view name) {
    return Get([&](StoreReader& reader) { return reader.FindOperation(name); });
  }
  std::vector<std::string> List(absl::string_view machine, bool open_only, absl::string_view after,
                                int limit) {
    std::vector<std::string> names;
    for (const OperationRecord& record : Get([&](StoreReader& reader) {
           return reader.ListOperations(machine, open_only, after, limit);
         })) {
      names.push_back(record.name());
    }
    return names;
  }

  // A machine with an open operation of `owner`.
  OperationRecord Begin(absl::string_view name, absl::string_view verb, absl::string_view owner) {
    OperationRecord operation = TestOperation(name, verb);
    const absl::Status status = Write([&](StoreTransaction& transaction) -> absl::Status {
      DM_ASSIGN_OR_RETURN(const auto machine, transaction.FindMachineByName(name));
      if (!machine.has_value()) {
        DM_RETURN_IF_ERROR(transaction.InsertMachine(TestMachine(name)));
      }
      return transaction.InsertOperation(operation, owner);
    });
    EXPECT_TRUE(status.ok()) << status;
    return operation;
  }

  void ExpireLeases() { GetParam().expire_leases(folder_); }

  absl::Status Finish(OperationRecord operation) {
    operation.mutable_result()->set_done(true);
    return Write(
        [&](StoreTransaction& transaction) { return transaction.UpdateOperation(operation); });
  }

  std::string folder_;
  common::FakeClock clock_;
  std::unique_ptr<Store> store_;
};

/// Every implementation.
std::vector<StoreFactory> StoreFactories();

/// The name of a test's parameter.
std::string FactoryLabel(const testing::TestParamInfo<StoreFactory>& info);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_STORE_CONTRACT_H_
