// Secrets that are planted everywhere they can be given, and looked for everywhere they could have
// got to; and credentials, which many machines share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/longrunning/operations.grpc.pb.h"
#include "machine/v1/credentials.grpc.pb.h"
#include "machine/v1/drivers.grpc.pb.h"
#include "machine/v1/machines.grpc.pb.h"
#include "machine/v1/operations.grpc.pb.h"
#include "machine/v1/server.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"
#include "services/common/rpc/channel.h"
#include "tests/integration/listener.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr absl::Duration kLimit = absl::Minutes(1);
constexpr char kToyDriver[] = "tests/golden/machine-driver-toy";

// Machines of driver `toy`, whose provider is a folder: the token that came with the last call is
// in its file `token`.
class SecretsTest : public WorldTest {
 protected:
  SecretsTest() {
    fs::copy_file(kToyDriver, world_.libexec() + "/machine-driver-toy");
    fs::create_directories(world_.Path("toy"));
    world_.SetEnv("TOY_FOLDER", world_.Path("toy"));
    world_.SetEnv("TOY_URL", engine_.url());
  }

  std::string TokenAtProvider() const {
    return common::ReadFile(world_.Path("toy/token")).value_or("");
  }

  Outcome With(absl::string_view line, const std::string& token) const {
    return world_.Run(line, {{"TOY_TOKEN", token}});
  }

  common::Channel Connect() const {
    const auto json =
        nlohmann::json::parse(common::ReadFile(world_.server_dir() + "/server.json").value());
    return common::Channel::Local(json.at("address").get<std::string>(),
                                  json.at("cookie").get<std::string>());
  }

  Listener engine_;
};

TEST_F(SecretsTest, ARotatedCredentialCountsForAllItsMachinesAtTheNextCall) {
  ASSERT_EQ(With("credential add team -d toy", "first-token").exit_code, 0);
  for (const char* const name : {"a", "b"}) {
    // What the environment says of an option that the credential has does not count.
    const Outcome made = With(
        absl::StrCat("create -d toy --skip-provision --credential team ", name), "of-the-shell");
    ASSERT_EQ(made.exit_code, 0) << made;
    EXPECT_EQ(TokenAtProvider(), "first-token");
  }
  const Outcome used = Run("credential rm team");
  EXPECT_EQ(used.exit_code, 1);
  EXPECT_THAT(used.err, HasSubstr("Credential \"team\" is in use, for example by "));

  ASSERT_EQ(With("credential rotate team", "second-token").exit_code, 0);
  EXPECT_EQ(Run("stop a").exit_code, 0);
  EXPECT_EQ(TokenAtProvider(), "second-token");
  // It is the store's: a new process has it, too.
  ASSERT_TRUE(world_.StopOrchestrator());
  ASSERT_EQ(With("credential rotate team", "third-token").exit_code, 0);
  EXPECT_EQ(Run("stop b").exit_code, 0);
  EXPECT_EQ(TokenAtProvider(), "third-token");

  const auto listed = nlohmann::json::parse(Run("credential ls -o json").out);
  EXPECT_EQ(listed.at(0).at("machines"), 2);
  EXPECT_EQ(listed.at(0).at("version"), 3);
  ASSERT_EQ(Run("rm -y a b").exit_code, 0);
  EXPECT_EQ(Run("credential rm team").exit_code, 0);
  EXPECT_EQ(Run("credential ls -o json").out, "[]\n");
}

TEST_F(SecretsTest, AnOptionThatIsGivenGoesBeforeTheCredential) {
  ASSERT_EQ(With("credential add team -d toy", "of-the-team").exit_code, 0);
  ASSERT_EQ(Run("create -d toy --skip-provision --credential team --toy-token own dev").exit_code,
            0);
  EXPECT_EQ(TokenAtProvider(), "own");
  EXPECT_EQ(With("credential rotate team", "another").exit_code, 0);
  ASSERT_EQ(Run("stop dev").exit_code, 0);
  EXPECT_EQ(TokenAtProvider(), "own");
}

TEST_F(SecretsTest, MachinesAndCredentialsGoOnAfterTheSealingKeyWasRotated) {
  ASSERT_EQ(With("credential add team -d toy", "of-the-team").exit_code, 0);
  ASSERT_EQ(Run("create -d toy --skip-provision --credential team dev").exit_code, 0);
  ASSERT_EQ(With("create -d toy --skip-provision own", "own").exit_code, 0);
  const std::vector<std::string> rotate = {world_.libexec() + "/machine-orchestrator", "store",
                                           "rotate-key", "--storage-path", world_.storage()};
  const Outcome refused = world_.RunOther(rotate);
  EXPECT_THAT(refused.err, HasSubstr("is in use by process"));
  ASSERT_TRUE(world_.StopOrchestrator());
  const std::string key = common::ReadFile(world_.server_dir() + "/sealing.key").value();
  const Outcome rotated = world_.RunOther(rotate);
  ASSERT_EQ(rotated.exit_code, 0) << rotated;
  EXPECT_NE(common::ReadFile(world_.server_dir() + "/sealing.key").value(), key);
  ASSERT_EQ(Run("stop dev").exit_code, 0);
  EXPECT_EQ(TokenAtProvider(), "of-the-team");
  ASSERT_EQ(Run("stop own").exit_code, 0);
  EXPECT_EQ(TokenAtProvider(), "own");
}

TEST_F(SecretsTest, APassphraseInAFileTakesThePlaceOfTheKeyFileAndIsRotated) {
  const std::string path = world_.Path("toy/passphrase");
  ASSERT_TRUE(common::WriteFileAtomically(path, "open sesame\n", 0600).ok());
  world_.SetEnv("MACHINE_ORCHESTRATOR_PASSPHRASE_FILE", path);
  ASSERT_EQ(With("credential add team -d toy", "of-the-team").exit_code, 0);
  ASSERT_EQ(Run("create -d toy --skip-provision --credential team dev").exit_code, 0);
  EXPECT_FALSE(fs::exists(world_.server_dir() + "/sealing.key"));

  ASSERT_TRUE(world_.StopOrchestrator());
  const std::string store = common::ReadFile(world_.server_dir() + "/store.db").value();
  ASSERT_TRUE(common::WriteFileAtomically(path, "open sesami\n", 0600).ok());
  const Outcome refused = Run("ls");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("the orchestrator cannot start: the passphrase in " + path +
                                     " is another one"));
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_THAT(Run("ls").err, HasSubstr(path + " can be read by others"));
  EXPECT_EQ(common::ReadFile(world_.server_dir() + "/store.db").value(), store);

  ASSERT_TRUE(common::WriteFileAtomically(path, "open sesame\n", 0600).ok());
  const std::string next = world_.Path("toy/next");
  ASSERT_TRUE(common::WriteFileAtomically(next, "open barley\n", 0600).ok());
  const Outcome rotated =
      world_.RunOther({world_.libexec() + "/machine-orchestrator", "store", "rotate-key",
                       "to-passphrase", next, "--storage-path", world_.storage()});
  ASSERT_EQ(rotated.exit_code, 0) << rotated;
  EXPECT_EQ(Run("stop dev").exit_code, 1);
  world_.SetEnv("MACHINE_ORCHESTRATOR_PASSPHRASE_FILE", next);
  EXPECT_EQ(Run("stop dev").exit_code, 0);
  EXPECT_EQ(TokenAtProvider(), "of-the-team");
}

// ---- The search

// Everything that the read calls of all services answer, as bytes.
class Answers {
 public:
  explicit Answers(common::Channel channel) : channel_(std::move(channel)) {}

  template <typename Service, typename Request, typename Response>
  Response Call(grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&,
                                                      Response*),
                const Request& request) {
    typename Service::Stub stub(channel_.grpc());
    grpc::ClientContext context;
    channel_.Prepare(context, kLimit);
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    EXPECT_TRUE(status.ok()) << request.GetTypeName() << ": " << status.error_message();
    absl::StrAppend(&bytes_, response.SerializeAsString(), status.error_message(),
                    status.error_details());
    return response;
  }

  void Watch(const std::string& operation) {
    const auto stub = machine::v1::OperationEvents::NewStub(channel_.grpc());
    grpc::ClientContext context;
    channel_.Prepare(context, kLimit);
    machine::v1::WatchOperationRequest request;
    request.set_name(operation);
    const auto reader = stub->WatchOperation(&context, request);
    machine::v1::OperationEvent event;
    while (reader->Read(&event)) bytes_ += event.SerializeAsString();
  }

  void WatchMachines() {
    const auto stub = machine::v1::Machines::NewStub(channel_.grpc());
    grpc::ClientContext context;
    channel_.Prepare(context, kLimit);
    machine::v1::WatchMachinesRequest request;
    request.set_send_initial(true);
    const auto reader = stub->WatchMachines(&context, request);
    machine::v1::MachineEvent event;
    while (reader->Read(&event) && event.type() != machine::v1::MachineEvent::BOOKMARK) {
      bytes_ += event.SerializeAsString();
    }
    context.TryCancel();
  }

  void ReadAll() {
    using google::longrunning::Operations;
    using machine::v1::Credentials;
    using machine::v1::Drivers;
    using machine::v1::Machines;
    using machine::v1::Server;
    const auto machines =
        Call<Machines>(&Machines::Stub::ListMachines, machine::v1::ListMachinesRequest());
    for (const machine::v1::Machine& machine : machines.machines()) {
      machine::v1::GetMachineRequest get;
      get.set_name(machine.name());
      Call<Machines>(&Machines::Stub::GetMachine, get);
    }
    const auto operations = Call<Operations>(&Operations::Stub::ListOperations,
                                             google::longrunning::ListOperationsRequest());
    EXPECT_GT(operations.operations_size(), 0);
    for (const google::longrunning::Operation& operation : operations.operations()) {
      google::longrunning::GetOperationRequest get;
      get.set_name(operation.name());
      Call<Operations>(&Operations::Stub::GetOperation, get);
      Watch(operation.name());
    }
    WatchMachines();
    Call<Credentials>(&Credentials::Stub::ListCredentials, machine::v1::ListCredentialsRequest());
    Call<Drivers>(&Drivers::Stub::ListDrivers, machine::v1::ListDriversRequest());
    machine::v1::GetDriverRequest driver;
    driver.set_name("toy");
    Call<Drivers>(&Drivers::Stub::GetDriver, driver);
    Call<Server>(&Server::Stub::GetServerInfo, machine::v1::GetServerInfoRequest());
  }

  const std::string& bytes() const { return bytes_; }

 private:
  common::Channel channel_;
  std::string bytes_;
};

TEST_F(SecretsTest, NoPlantedSecretIsInFilesLogsCoresCommandLinesOrAnswers) {
  // Begin alike, so that one search finds all.
  constexpr absl::string_view kPlanted = "pl4nted-s3cret";
  const auto secret = [&](absl::string_view what) { return absl::StrCat(kPlanted, "-", what); };
  std::string printed;
  const auto run = [&](absl::string_view line, const std::string& token = "") {
    const Outcome outcome = With(line, token);
    absl::StrAppend(&printed, outcome.out, outcome.err);
    return outcome.exit_code;
  };
  const auto command_lines = [&] {
    for (const ProcessName& process : world_.Processes()) {
      const std::string proc = absl::StrCat("/proc/", process.pid);
      absl::StrAppend(&printed, common::ReadFile(proc + "/cmdline").value_or(""),
                      common::ReadFile(proc + "/environ").value_or(""));
    }
  };

  // Where the provider is, which is not looked through.
  const std::string passphrase = world_.Path("toy/passphrase");
  ASSERT_TRUE(common::WriteFileAtomically(passphrase, secret("passphrase"), 0600).ok());
  world_.SetEnv("MACHINE_ORCHESTRATOR_PASSPHRASE_FILE", passphrase);
  // Everything is logged; the client's own orchestrator would log less.
  RunningCommand orchestrator = world_.StartOrchestrator("--log-level=debug");
  ASSERT_EQ(run("credential add team -d toy", secret("credential")), 0);
  ASSERT_EQ(run("create -d toy --skip-provision --credential team a"), 0);
  ASSERT_EQ(run("create -d toy --skip-provision b", secret("option")), 0);
  // One whose value the driver refuses, and one that fails halfway.
  EXPECT_NE(run("create -d toy --skip-provision --toy-fail=create c", secret("failed")), 0);
  EXPECT_NE(run("create -d toy --skip-provision --toy-fail=nonsense d", secret("refused")), 0);
  ASSERT_EQ(run("credential rotate team", secret("rotated")), 0);
  EXPECT_NE(run("credential add team -d toy", secret("twice")), 0);
  for (const char* const line :
       {"stop a", "start a", "ls", "inspect a", "inspect b", "logs b", "ops ls -o json",
        "credential ls -o json", "driver ls -o json", "ls -o json", "create -d toy --help"}) {
    run(line);
    command_lines();
  }
  Answers answers(Connect());
  answers.ReadAll();
  EXPECT_FALSE(absl::StrContains(answers.bytes(), kPlanted));

  // A crash of each process, of the kind that writes a core file where the system lets it.
  const size_t drivers = world_.SignalAll("machine-driver-toy", SIGABRT);
  EXPECT_EQ(drivers, 1u);
  EXPECT_EQ(run("stop b"), 0);
  orchestrator.Signal(SIGABRT);
  absl::StrAppend(&printed, orchestrator.Wait().err);
  EXPECT_FALSE(absl::StrContains(printed, kPlanted)) << printed;
  EXPECT_THAT(printed, HasSubstr("\"severity\":\"debug\""));

  // The folder of the toys is the provider, who was told the secrets.
  int files = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(world_.Path(""))) {
    const std::string path = entry.path().string();
    if (!entry.is_regular_file() || absl::StartsWith(path, world_.Path("toy/")) ||
        absl::StartsWith(path, world_.Path("prefix/"))) {
      continue;
    }
    ++files;
    EXPECT_FALSE(absl::StartsWith(entry.path().filename().string(), "core")) << path;
    EXPECT_FALSE(absl::StrContains(common::ReadFile(path).value_or(""), kPlanted)) << path;
  }
  EXPECT_GT(files, 5);
  // It was not for lack of a secret: the provider has it.
  EXPECT_THAT(TokenAtProvider(), HasSubstr(kPlanted));
}

}  // namespace
}  // namespace machine::tests
