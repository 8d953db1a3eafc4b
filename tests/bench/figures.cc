// Measures what users wait for, with the real programs, and prints each figure beside its target.
//
//   bazel run //tests/bench:figures                     everything that needs no host
//   bazel run //tests/bench:figures -- --host IP --key FILE [--user root]
//                                                       also a create on that bare Debian host
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "google/longrunning/operations.grpc.pb.h"
#include "machine/v1/machines.grpc.pb.h"
#include "machine/v1/operations.grpc.pb.h"
#include "tests/bench/world.h"

namespace machine::bench {
namespace {

[[noreturn]] void Fail(absl::string_view what, const ProcessRun& run) {
  fprintf(stderr, "%s: exit status %d\n%s\n", std::string(what).c_str(), run.exit_code,
          run.output.c_str());
  exit(1);
}

// Median of `count` runs that must all succeed.
void Measure(const World& world, const std::vector<std::string>& arguments, int count,
             absl::string_view what, absl::string_view target) {
  std::vector<absl::Duration> walls;
  int64_t peak_kib = 0;
  for (int i = 0; i < count; ++i) {
    const ProcessRun run = world.Run(arguments);
    if (run.exit_code != 0) Fail(what, world.Run(arguments, /*capture=*/true));
    walls.push_back(run.wall);
    peak_kib = std::max(peak_kib, run.peak_kib);
  }
  Print(what, absl::StrCat(Ms(Median(walls)), ", ", peak_kib / 1024, " MiB"), target);
}

void FirstCommand() {
  std::vector<absl::Duration> walls;
  for (int i = 0; i < 10; ++i) {
    World world;
    const ProcessRun run = world.Run({"ls"});
    if (run.exit_code != 0) Fail("first command", run);
    walls.push_back(run.wall);
  }
  Print("first command ever (auto-start)", Ms(Median(walls)), "<= 300 ms");
}

void SmallCommands() {
  World world;
  const ProcessRun made =
      world.Run({"create", "-d", "none", "--url=tcp://127.0.0.1:1", "dev"}, true);
  if (made.exit_code != 0) Fail("create", made);
  for (const char* command : {"version", "url", "status", "inspect"}) {
    Measure(world,
            command == absl::string_view("version") ? std::vector<std::string>{"version"}
                                                    : std::vector<std::string>{command, "dev"},
            50, absl::StrCat(command, ", warm"), "<= 8 ms, <= 15 MiB");
  }
  std::vector<absl::Duration> walls;
  for (int i = 0; i < 30; ++i) {
    const ProcessRun run =
        world.Run({"create", "-d", "none", "--url=tcp://127.0.0.1:1", absl::StrCat("one", i)});
    if (run.exit_code != 0) Fail("create", run);
    walls.push_back(run.wall);
  }
  Print("create -d none, one", Ms(Median(walls)), "<= 28 ms");

  const absl::Time start = absl::Now();
  const int failed = InParallel(200, 200, [&](int i) {
    return world.Run({"create", "-d", "none", "--url=tcp://127.0.0.1:1", absl::StrCat("many", i)})
               .exit_code == 0;
  });
  const absl::Duration wall = absl::Now() - start;
  const ProcessRun list = world.Run({"ls", "-q"}, true);
  const auto names = std::vector<std::string>(absl::StrSplit(list.output, '\n', absl::SkipEmpty()));
  Print("create -d none, 200 in parallel",
        absl::StrCat(Ms(wall), ", ", failed, " failed, ", 231 - static_cast<int>(names.size()),
                     " lost"),
        "<= 3 s, none lost");

  const int url_failed = InParallel(8, 800, [&](int) {
    return world.Run({"url", "dev"}).exit_code == 0;
  });
  const int inspect_failed = InParallel(8, 100, [&](int) {
    return world.Run({"inspect", "dev"}).exit_code == 0;
  });
  Print("800 url and 100 inspect in parallel",
        absl::StrCat(url_failed, " and ", inspect_failed, " failed"), "0 and 0 failed");
}

// Fills the store through the API, many creates at once.
void Fill(const World& world, int from, int to) {
  const common::Channel channel = world.Connect();
  const auto machines = machine::v1::Machines::NewStub(channel.grpc());
  const auto operations = google::longrunning::Operations::NewStub(channel.grpc());
  const int failed = InParallel(64, to - from, [&](int i) {
    machine::v1::CreateMachineRequest request;
    request.set_machine_id(absl::StrCat("m", from + i));
    request.mutable_machine()->set_driver("none");
    auto* option = request.mutable_machine()->add_driver_options();
    option->set_name("url");
    option->set_string_value(absl::StrCat("tcp://127.0.0.1:", 1 + i % 60));
    google::longrunning::Operation operation;
    grpc::ClientContext create;
    channel.Prepare(create, absl::Seconds(60));
    if (!machines->CreateMachine(&create, request, &operation).ok()) return false;
    google::longrunning::WaitOperationRequest wait;
    wait.set_name(operation.name());
    grpc::ClientContext waiting;
    channel.Prepare(waiting, absl::Seconds(60));
    return operations->WaitOperation(&waiting, wait, &operation).ok() && operation.done() &&
           !operation.has_error();
  });
  if (failed > 0) {
    fprintf(stderr, "%d creates failed\n", failed);
    exit(1);
  }
}

// Takes no connection and refuses none: its queue is full.
class Frozen {
 public:
  Frozen() {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    listen(listener_, 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    for (int& client : clients_) {
      client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      connect(client, reinterpret_cast<sockaddr*>(&address), size);
    }
  }
  ~Frozen() {
    for (const int client : clients_) close(client);
    close(listener_);
  }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

  std::string url() const { return absl::StrCat("tcp://127.0.0.1:", port_); }

 private:
  int listener_ = -1;
  int port_ = 0;
  int clients_[4] = {};
};

void Lists() {
  World world;
  if (const ProcessRun run = world.Run({"ls"}, true); run.exit_code != 0) Fail("ls", run);
  int filled = 0;
  for (const auto& [count, target] : std::vector<std::pair<int, std::string>>{
           {10, "<= 15 ms"}, {1000, "<= 40 ms"}, {10'000, "<= 250 ms"}}) {
    const absl::Time start = absl::Now();
    Fill(world, filled, count);
    const absl::Duration wall = absl::Now() - start;
    Print(absl::StrCat("  (", count - filled, " creates by API)"), Ms(wall), "");
    filled = count;
    Measure(world, {"ls"}, 15, absl::StrCat("ls, ", count, " machines"), target);
  }
  const Frozen frozen;
  const ProcessRun one =
      world.Run({"create", "-d", "none", "--url=" + frozen.url(), "frozen"}, true);
  if (one.exit_code != 0) Fail("create", one);
  Measure(world, {"ls"}, 15, "ls, and one host that never answers", "<= 250 ms");
  Print("orchestrator, 10,000 machines, resident",
        absl::StrCat(world.OrchestratorRssKib() / 1024, " MiB"), "<= 120 MB");
}

// How long the last create of `machine` was in its stage "Installing Docker...", by the times of
// its events.
absl::Duration InstallTime(const World& world, const std::string& machine) {
  const common::Channel channel = world.Connect();
  google::longrunning::ListOperationsRequest list;
  list.set_filter("machine=" + machine);
  google::longrunning::ListOperationsResponse listed;
  grpc::ClientContext listing;
  channel.Prepare(listing, absl::Seconds(10));
  const auto operations = google::longrunning::Operations::NewStub(channel.grpc());
  if (!operations->ListOperations(&listing, list, &listed).ok() || listed.operations().empty()) {
    fprintf(stderr, "no operation of %s\n", machine.c_str());
    exit(1);
  }
  machine::v1::WatchOperationRequest watch;
  watch.set_name(listed.operations(0).name());
  grpc::ClientContext watching;
  channel.Prepare(watching, absl::Seconds(10));
  const auto events = machine::v1::OperationEvents::NewStub(channel.grpc());
  const auto stream = events->WatchOperation(&watching, watch);
  absl::Time installing = absl::InfiniteFuture();
  machine::v1::OperationEvent event;
  while (stream->Read(&event)) {
    const absl::Time time =
        absl::FromUnixSeconds(event.time().seconds()) + absl::Nanoseconds(event.time().nanos());
    if (event.progress().message() == "Installing Docker...") {
      installing = time;
    } else if (event.has_progress() && installing != absl::InfiniteFuture()) {
      return time - installing;
    }
  }
  return absl::ZeroDuration();
}

void OnHost(const std::string& ip, const std::string& key, const std::string& user) {
  World world;
  const auto create = [&](const std::string& name) {
    const ProcessRun run = world.Run(
        {"create", "-d", "generic", absl::StrCat("--generic-ip-address=", ip),
         absl::StrCat("--generic-ssh-key=", key), absl::StrCat("--generic-ssh-user=", user), name},
        true);
    if (run.exit_code != 0) Fail("create -d generic", run);
    return run.wall;
  };
  const absl::Duration bare = create("bare");
  const absl::Duration install = InstallTime(world, "bare");
  Print("create -d generic on the host as it is",
        absl::StrCat(Ms(bare - install), " + install ", Ms(install)), "<= 1.5 s + install");
  Print("create -d generic, engine there", Ms(create("again")), "<= 1.5 s");
  Measure(world, {"provision", "again"}, 3, "provision, nothing to do", "<= 500 ms");
  Measure(world, {"ip", "again"}, 30, "ip, warm", "<= 8 ms, <= 15 MiB");
  Measure(world, {"ssh", "again", "true"}, 15, "ssh NAME true", "<= 150 ms");
}

int Main(int argc, char** argv) {
  std::string host;
  std::string key;
  std::string user = "root";
  std::string only;
  for (int i = 1; i < argc; i += 2) {
    const absl::string_view name = argv[i];
    std::string* const value = name == "--host"   ? &host
                               : name == "--key"  ? &key
                               : name == "--user" ? &user
                               : name == "--only" ? &only
                                                  : nullptr;
    if (value == nullptr) {
      fprintf(stderr, "unknown option %s\n", argv[i]);
      return 2;
    }
    if (i + 1 == argc) {
      fprintf(stderr, "%s needs a value\n", argv[i]);
      return 2;
    }
    *value = argv[i + 1];
  }
  if (!only.empty() && only != "first" && only != "small" && only != "lists" && only != "host") {
    fprintf(stderr, "--only %s: there are first, small, lists and host\n", only.c_str());
    return 2;
  }
  if ((only == "host" || !key.empty()) && host.empty()) {
    fprintf(stderr, "the figures of a host need --host IP --key FILE\n");
    return 2;
  }
  Print("figure", "measured", "target");
  if (only.empty() || only == "first") FirstCommand();
  if (only.empty() || only == "small") SmallCommands();
  if (only.empty() || only == "lists") Lists();
  if (!host.empty() && (only.empty() || only == "host")) OnHost(host, key, user);
  return 0;
}

}  // namespace
}  // namespace machine::bench

int main(int argc, char** argv) { return machine::bench::Main(argc, argv); }
