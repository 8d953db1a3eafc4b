// Stands in for machine-orchestrator: `--private --storage-path=PATH` as the real one, and behaves
// as the file PATH/behaviour says: "" serves, "error" says why it cannot, "die" ends with a word on
// stderr, "once" ends the first time as one does that was told to end just then, "busy PID" says so
// as long as that process lives.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/notification.h"
#include "cli/autostart/server_file.h"
#include "machine/v1/server.grpc.pb.h"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"
#include "services/common/rpc/channel.h"

namespace {

class FakeServer final : public machine::v1::Server::Service {
 public:
  grpc::Status GetServerInfo(grpc::ServerContext* context, const machine::v1::GetServerInfoRequest*,
                             machine::v1::ServerInfo* info) override {
    const auto cookie = context->client_metadata().find(machine::common::kCookieKey);
    if (cookie == context->client_metadata().end() || cookie->second != absl::StrCat(getpid())) {
      return {grpc::StatusCode::UNAUTHENTICATED, "another cookie"};
    }
    info->set_pid(getpid());
    return grpc::Status::OK;
  }
  grpc::Status Shutdown(grpc::ServerContext*, const machine::v1::ShutdownRequest*,
                        google::protobuf::Empty*) override {
    stop.Notify();
    return grpc::Status::OK;
  }
  absl::Notification stop;
};

void SayReady(const std::string& line) {
  if (write(3, line.data(), line.size()) < 0) _exit(1);
  close(3);
}

}  // namespace

int main(int argc, char** argv) {
  std::string storage;
  for (int i = 1; i < argc; ++i) {
    absl::string_view arg = argv[i];
    if (absl::ConsumePrefix(&arg, "--storage-path=")) storage = std::string(arg);
  }
  std::ofstream(storage + "/starts", std::ios::app) << "start\n";
  const std::string behaviour = machine::common::ReadFile(storage + "/behaviour").value_or("");
  if (behaviour == "die") {
    std::fputs("the disk is on fire\n", stderr);
    return 1;
  }
  if (behaviour == "error") {
    SayReady("error: the store is from a newer version\n");
    return 1;
  }
  if (behaviour == "once" && std::remove((storage + "/behaviour").c_str()) == 0) return 1;
  absl::string_view holder = behaviour;
  int64_t pid = 0;
  if (absl::ConsumePrefix(&holder, "busy ") && absl::SimpleAtoi(holder, &pid) &&
      machine::common::ProcessStartTime(static_cast<pid_t>(pid)).ok()) {
    SayReady(absl::StrCat("busy ", holder, ": the store is in use by process ", holder, "\n"));
    return 1;
  }
  FakeServer service;
  const std::string address = absl::StrCat("unix:", storage, "/server/o.sock");
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::experimental::LocalServerCredentials(UDS));
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  const nlohmann::json file = {
      {"pid", getpid()},
      {"start_time", machine::common::ProcessStartTime(getpid()).value_or(0)},
      {"address", address},
      {"cookie", absl::StrCat(getpid())},
      {"build", machine::cli::BuildLabel("/proc/self/exe").value_or("")}};
  if (!machine::common::WriteFileAtomically(storage + "/server/server.json", file.dump(), 0600)
           .ok()) {
    return 1;
  }
  SayReady("ready\n");
  service.stop.WaitForNotification();
  server->Shutdown();
  return 0;
}
