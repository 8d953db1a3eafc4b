// Measures an orchestrator under load, with the real programs and a simulated provider, and prints
// each figure beside its target. See README.md.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/longrunning/operations.grpc.pb.h"
#include "machine/v1/machines.grpc.pb.h"
#include "machine/v1/operations.pb.h"
#include "services/common/rpc/channel.h"
#include "tests/bench/world.h"
#include "tests/fakes/simcloud/simcloud_process.h"

namespace machine::load {
namespace {

using bench::InParallel;
using bench::Ms;
using bench::Print;
using google::longrunning::Operation;
using google::longrunning::Operations;
using machine::v1::Machines;

constexpr absl::Duration kPatience = absl::Minutes(5);
constexpr char kDriver[] = "machine-driver-simcloud";

[[noreturn]] void Die(const std::string& why) {
  fprintf(stderr, "load: %s\n", why.c_str());
  exit(1);
}

std::string MiB(int64_t kib) { return absl::StrCat(kib / 1024, " MiB"); }

// A folder that goes with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    char path[] = "/tmp/mlXXXXXX";
    if (mkdtemp(path) == nullptr) Die("no folder in /tmp");
    path_ = path;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A provider, and an orchestrator with the driver for it. Calls are thread-safe.
class Fleet {
 public:
  Fleet()
      : cloud_(folder_.path(), /*seed=*/1),
        world_({absl::StrCat("tests/fakes/simcloud/driver/", kDriver)}) {
    Connect();
  }

  // Starts the orchestrator where none runs, and returns how long it took to be answered.
  absl::Duration Connect() {
    const absl::Time start = absl::Now();
    const bench::ProcessRun run = world_.Run({"ls", "-q"}, /*capture=*/true);
    if (run.exit_code != 0) Die(run.output);
    const absl::Duration wall = absl::Now() - start;
    channel_ = std::make_unique<common::Channel>(world_.Connect());
    machines_ = Machines::NewStub(channel_->grpc());
    operations_ = Operations::NewStub(channel_->grpc());
    return wall;
  }

  // Begins to make a machine.
  bool Begin(const std::string& name, Operation& operation,
             const std::string& driver = "simcloud") {
    machine::v1::CreateMachineRequest request;
    request.set_machine_id(name);
    request.mutable_machine()->set_driver(driver);
    request.set_skip_provision(true);
    auto* const option = request.mutable_machine()->add_driver_options();
    option->set_name(driver == "none" ? "url" : "simcloud-endpoint");
    option->set_string_value(driver == "none" ? "tcp://127.0.0.1:1" : cloud_.url());
    grpc::ClientContext context;
    channel_->Prepare(context, kPatience);
    const grpc::Status status = machines_->CreateMachine(&context, request, &operation);
    return status.ok() || Failed(operation, status.error_message());
  }

  // Waits for the end of `operation`; false when it failed.
  bool Await(Operation& operation) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!operation.done() && absl::Now() < deadline) {
      google::longrunning::WaitOperationRequest request;
      request.set_name(operation.name());
      grpc::ClientContext context;
      channel_->Prepare(context, kPatience);
      const grpc::Status status = operations_->WaitOperation(&context, request, &operation);
      if (!status.ok()) return Failed(operation, status.error_message());
    }
    if (operation.has_error()) return Failed(operation, operation.error().message());
    return operation.done() || Failed(operation, "it does not end");
  }

  bool Create(const std::string& name) {
    Operation operation;
    return Begin(name, operation) && Await(operation);
  }

  bool Remove(const std::string& name) {
    machine::v1::DeleteMachineRequest request;
    request.set_name("machines/" + name);
    Operation operation;
    grpc::ClientContext context;
    channel_->Prepare(context, kPatience);
    return machines_->DeleteMachine(&context, request, &operation).ok() && Await(operation);
  }

  fakes::SimCloudProcess& cloud() { return cloud_; }
  bench::World& world() { return world_; }

 private:
  static bool Failed(const Operation& operation, const std::string& why) {
    fprintf(stderr, "load: %s: %s\n", operation.name().c_str(), why.c_str());
    return false;
  }

  TemporaryFolder folder_;
  fakes::SimCloudProcess cloud_;
  bench::World world_;
  std::unique_ptr<common::Channel> channel_;
  std::unique_ptr<Machines::Stub> machines_;
  std::unique_ptr<Operations::Stub> operations_;
};

// Each instance has one of everything.
void CheckLedger(Fleet& fleet, size_t machines) {
  const size_t found = fleet.cloud().Objects("instances").size();
  if (found != machines) Die(absl::StrCat(found, " instances for ", machines, " machines"));
}

void InFlight() {
  constexpr int kCreates = 1'000;
  Fleet fleet;
  fleet.cloud().Behave({{"latency_ms", 2'000}});
  std::vector<Operation> operations(kCreates);
  const absl::Time start = absl::Now();
  int failed = InParallel(64, kCreates, [&](int i) {
    return fleet.Begin(absl::StrCat("m", i), operations[static_cast<size_t>(i)]);
  });
  const absl::Duration accepted = absl::Now() - start;
  failed += InParallel(64, kCreates,
                       [&](int i) { return fleet.Await(operations[static_cast<size_t>(i)]); });
  const absl::Duration wall = absl::Now() - start;
  if (failed > 0) Die(absl::StrCat(failed, " creates failed"));
  CheckLedger(fleet, kCreates);
  Print("1,000 creates in flight, instances take 2 s", Ms(wall), "none lost");
  Print("  accepted after", Ms(accepted), "");
  Print("  orchestrator, peak", MiB(fleet.world().OrchestratorPeakKib()), "<= 200 MB");
  Print("  driver, peak", MiB(fleet.world().ChildPeakKib(kDriver)), "<= 250 MB");
}

void Sustained() {
  constexpr int kMachines = 3'000;
  Fleet fleet;
  fleet.cloud().Behave({{"latency_ms", 50}});
  const absl::Time start = absl::Now();
  const int failed = InParallel(64, kMachines, [&](int i) {
    const std::string name = absl::StrCat("m", i);
    return fleet.Create(name) && fleet.Remove(name);
  });
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  if (failed > 0) Die(absl::StrCat(failed, " pairs failed"));
  CheckLedger(fleet, 0);
  char rate[64];
  snprintf(rate, sizeof rate, "%.0f pairs a second", kMachines / seconds);
  Print("creates and removes, instances take 50 ms", rate, ">= 50 a second");
}

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

// The driver answers at once, so nearly all of a step is the engine's.
void Steps() {
  constexpr int kCreates = 300;
  Fleet fleet;
  std::vector<absl::Duration> walls;
  for (int i = 0; i < kCreates; ++i) {
    Operation operation;
    machine::v1::OperationMetadata metadata;
    if (!fleet.Begin(absl::StrCat("n", i), operation, "none") || !fleet.Await(operation) ||
        !operation.metadata().UnpackTo(&metadata)) {
      Die("a create with the driver none failed");
    }
    walls.push_back(TimeOf(metadata.end_time()) - TimeOf(metadata.start_time()));
  }
  Print("a whole operation: create, driver none, SQLite", Ms(bench::Median(walls)),
        "<= 5 ms for each step");
}

void TenThousand() {
  constexpr int kMachines = 10'000;
  constexpr int kInFlight = 500;
  Fleet fleet;
  absl::Time start = absl::Now();
  const int failed =
      InParallel(64, kMachines, [&](int i) { return fleet.Create(absl::StrCat("m", i)); });
  if (failed > 0) Die(absl::StrCat(failed, " creates failed"));
  Print("  (10,000 creates)", Ms(absl::Now() - start), "");
  std::vector<absl::Duration> walls;
  for (int i = 0; i < 5; ++i) {
    const bench::ProcessRun run = fleet.world().Run({"ls", "--max-age", "0"}, /*capture=*/true);
    if (run.exit_code != 0) Die(run.output.substr(0, 500));
    walls.push_back(run.wall);
  }
  Print("ls --max-age 0, 10,000 machines", Ms(bench::Median(walls)), "<= 2 s");

  fleet.cloud().Behave({{"latency_ms", 30'000}});
  std::vector<Operation> operations(kInFlight);
  if (InParallel(64, kInFlight, [&](int i) {
        return fleet.Begin(absl::StrCat("late", i), operations[static_cast<size_t>(i)]);
      }) > 0) {
    Die("creates were refused");
  }
  fleet.world().KillOrchestrator();
  Print("serving again, 10,000 machines, 500 in flight", Ms(fleet.Connect()), "<= 2 s");
  fleet.cloud().Behave({{"latency_ms", 0}});
  const int lost = InParallel(
      64, kInFlight, [&](int i) { return fleet.Await(operations[static_cast<size_t>(i)]); });
  CheckLedger(fleet, kMachines + kInFlight);
  Print("  operations lost", absl::StrCat(lost), "0");
}

int Main(int argc, char** argv) {
  struct Part {
    const char* name;
    void (*measure)();
  };
  constexpr Part kParts[] = {
      {"flight", InFlight}, {"sustained", Sustained}, {"steps", Steps}, {"fleet", TenThousand}};
  const std::string only = argc == 3 && absl::string_view(argv[1]) == "--only" ? argv[2] : "";
  bool known = only.empty() && argc == 1;
  for (const Part& part : kParts) known = known || only == part.name;
  if (!known) {
    fprintf(stderr, "usage: figures [--only flight|sustained|steps|fleet]\n");
    return 2;
  }
  Print("figure", "measured", "target");
  for (const Part& part : kParts) {
    if (only.empty() || only == part.name) part.measure();
  }
  return 0;
}

}  // namespace
}  // namespace machine::load

int main(int argc, char** argv) { return machine::load::Main(argc, argv); }
