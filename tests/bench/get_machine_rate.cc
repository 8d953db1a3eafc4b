// How much of an empty handler's rate is left for GetMachine: 16 clients on a Unix socket, both in
// the same run, taking turns.
//
//   bazel run //tests/bench:get_machine_rate
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "machine/v1/machines.grpc.pb.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/server.h"
#include "tests/bench/world.h"

namespace machine::bench {
namespace {

constexpr int kClients = 16;
constexpr absl::Duration kTurn = absl::Seconds(2);
constexpr int kTurns = 3;

class EmptyMachines final : public machine::v1::Machines::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetMachine(grpc::CallbackServerContext* context,
                                       const machine::v1::GetMachineRequest*,
                                       machine::v1::Machine*) override {
    auto* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// Calls a second, by kClients clients with a connection each.
double Rate(const std::function<common::Channel()>& connect) {
  std::atomic<int64_t> calls = 0;
  std::atomic<int64_t> failures = 0;
  std::vector<std::thread> clients;
  const absl::Time end = absl::Now() + kTurn;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      const common::Channel channel = connect();
      const auto stub = machine::v1::Machines::NewStub(channel.grpc());
      machine::v1::GetMachineRequest request;
      request.set_name("machines/dev");
      machine::v1::Machine machine;
      while (absl::Now() < end) {
        grpc::ClientContext context;
        channel.Prepare(context, absl::Seconds(10));
        if (stub->GetMachine(&context, request, &machine).ok()) {
          ++calls;
        } else {
          ++failures;
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  if (failures > 0) fprintf(stderr, "%ld calls failed\n", failures.load());
  return static_cast<double>(calls) / absl::ToDoubleSeconds(kTurn);
}

int Main() {
  World world;
  const ProcessRun made =
      world.Run({"create", "-d", "none", "--url=tcp://127.0.0.1:1", "dev"}, /*capture=*/true);
  if (made.exit_code != 0) {
    fprintf(stderr, "%s\n", made.output.c_str());
    return 1;
  }
  common::Metrics metrics;
  EmptyMachines empty;
  auto server = common::RpcServer::Start({.address = absl::StrCat("unix:", world.storage(), "/e"),
                                          .cookie = "biscuit",
                                          .services = {&empty},
                                          .metrics = &metrics});
  if (!server.ok()) return 1;
  double empty_rate = 0;
  double rate = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    empty_rate += Rate([&] { return common::Channel::Local((*server)->address(), "biscuit"); });
    rate += Rate([&] { return world.Connect(); });
  }
  printf("empty handler %.0f/s, GetMachine %.0f/s: %.0f %% (target >= 60 %%)\n",
         empty_rate / kTurns, rate / kTurns, 100 * rate / empty_rate);
  return 0;
}

}  // namespace
}  // namespace machine::bench

int main() { return machine::bench::Main(); }
