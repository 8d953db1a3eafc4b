// How fast a SqliteStore is: bazel run //services/orchestrator/store:store_benchmark
#include <benchmark/benchmark.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

// About as large as that of a real machine.
MachineRecord LargeMachine(absl::string_view name) {
  MachineRecord record = TestMachine(name);
  record.set_driver_state_sealed(std::string(300, 's'));
  record.set_ssh_public_key(std::string(90, 'k'));
  record.mutable_machine()->mutable_endpoint()->add_ip_addresses("192.0.2.1");
  record.mutable_machine()->mutable_endpoint()->set_docker_url("tcp://192.0.2.1:2376");
  return record;
}

void BM_FirstOpen(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    const std::string folder = NewTestFolder();
    state.ResumeTiming();
    auto store = SqliteStore::Open(absl::StrCat(folder, "/store.db"));
    benchmark::DoNotOptimize(store);
    state.PauseTiming();
    store->reset();
    std::filesystem::remove_all(folder);
    state.ResumeTiming();
  }
}
BENCHMARK(BM_FirstOpen)->Unit(benchmark::kMillisecond)->UseRealTime();

// `range` creates that wait at once.
void BM_Creates(benchmark::State& state) {
  const std::string folder = NewTestFolder();
  auto store = *SqliteStore::Open(absl::StrCat(folder, "/store.db"));
  const int count = static_cast<int>(state.range(0));
  int round = 0;
  for (auto _ : state) {
    ++round;
    absl::BlockingCounter left(count);
    for (int i = 0; i < count; ++i) {
      store->Write(
          [name = absl::StrCat("m", round, "-", i)](StoreTransaction& t) -> absl::Status {
            OperationRecord operation = TestOperation(name, "create");
            DM_RETURN_IF_ERROR(t.InsertMachine(LargeMachine(name)));
            return t.InsertOperation(operation, "owner");
          },
          [&](absl::Status status) {
            if (!status.ok()) state.SkipWithError("a write failed");
            left.DecrementCount();
          });
    }
    left.Wait();
  }
  store.reset();
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_Creates)->Arg(1)->Arg(200)->Unit(benchmark::kMillisecond)->UseRealTime();

// Opens a store of `range` machines and reads all.
void BM_OpenAndReadAll(benchmark::State& state) {
  const std::string folder = NewTestFolder();
  const std::string path = absl::StrCat(folder, "/store.db");
  {
    auto store = *SqliteStore::Open(path);
    const absl::Status written = store->WriteAndWait([&](StoreTransaction& t) -> absl::Status {
      for (int i = 0; i < state.range(0); ++i) {
        DM_RETURN_IF_ERROR(t.InsertMachine(LargeMachine(absl::StrCat("m", i))));
      }
      return absl::OkStatus();
    });
    if (!written.ok()) state.SkipWithError("a write failed");
  }
  for (auto _ : state) {
    auto store = *SqliteStore::Open(path);
    int count = 0;
    store
        ->Read([&](StoreReader& reader) {
          return reader.ForEachMachine([&](MachineRecord) { ++count; }, nullptr);
        })
        .IgnoreError();
    if (count != state.range(0)) state.SkipWithError("machines are missing");
    state.PauseTiming();
    store.reset();
    state.ResumeTiming();
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_OpenAndReadAll)->Arg(10'000)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace machine::orchestrator

BENCHMARK_MAIN();
