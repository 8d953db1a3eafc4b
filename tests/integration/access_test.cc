// Who may do what on a shared orchestrator: every method for every role, grants, certificates that
// are no good, the audit log.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sqlite3.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "google/longrunning/operations.grpc.pb.h"
#include "machine/options/v1/options.pb.h"
#include "machine/v1/access.grpc.pb.h"
#include "machine/v1/machines.grpc.pb.h"
#include "machine/v1/server.grpc.pb.h"
#include "re2/re2.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/rpc/health.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/access/method_rules.h"
#include "services/orchestrator/access/policy.h"
#include "tests/integration/shared_world.h"

namespace machine::tests {
namespace {

using google::protobuf::MethodDescriptor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr absl::Duration kCallTimeout = absl::Seconds(60);
// A stream that was let in goes on for ever; one that was not ends at once.
constexpr absl::Duration kStreamTimeout = absl::Milliseconds(500);

// Calls a method with these bytes as its only message, whatever kind it is; `first` gets the bytes
// of its first answer.
grpc::Status CallRaw(const common::Channel& channel, const std::string& method,
                     const std::string& bytes, absl::Duration timeout,
                     std::string* first = nullptr) {
  grpc::GenericStub stub(channel.grpc());
  grpc::ClientContext context;
  channel.Prepare(context, timeout);
  grpc::CompletionQueue queue;
  const grpc::Slice slice(bytes);
  const auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&slice, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  std::vector<grpc::Slice> slices;
  if (first != nullptr && answer.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices) {
      first->append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
  }
  return status;
}

template <typename Service, typename Request, typename Response>
absl::Status Call(const common::Channel& channel,
                  grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&,
                                                        Response*),
                  const Request& request, Response* response) {
  typename Service::Stub stub(channel.grpc());
  grpc::ClientContext context;
  channel.Prepare(context, kCallTimeout);
  return common::FromGrpcStatus((stub.*method)(&context, request, response));
}

absl::Status GetInfo(const common::Channel& channel) {
  machine::v1::ServerInfo info;
  return Call<machine::v1::Server>(channel, &machine::v1::Server::Stub::GetServerInfo,
                                   machine::v1::GetServerInfoRequest(), &info);
}

absl::Status GetMachine(const common::Channel& channel, const std::string& name) {
  machine::v1::GetMachineRequest request;
  request.set_name("machines/" + name);
  machine::v1::Machine machine;
  return Call<machine::v1::Machines>(channel, &machine::v1::Machines::Stub::GetMachine, request,
                                     &machine);
}

// 0 for every user, then viewer, operator, admin; -1 for everybody. Methods of protos that are not
// ours to annotate are named here.
int RankOf(const MethodDescriptor& method) {
  static const auto& fixed =
      *new std::map<std::string, int>{{"google.longrunning.Operations.ListOperations", 1},
                                      {"google.longrunning.Operations.GetOperation", 1},
                                      {"google.longrunning.Operations.WaitOperation", 1},
                                      {"google.longrunning.Operations.CancelOperation", 2},
                                      {"google.longrunning.Operations.DeleteOperation", 2},
                                      {"machine.v1.OperationEvents.WatchOperation", 1}};
  const auto it = fixed.find(method.full_name());
  if (it != fixed.end()) return it->second;
  const std::string& role = method.options().GetExtension(machine::options::v1::method).role();
  const std::map<std::string, int> ranks = {
      {"anyone", -1}, {"user", 0}, {"viewer", 1}, {"operator", 2}, {"admin", 3}};
  const auto rank = ranks.find(role);
  if (rank != ranks.end()) return rank->second;
  ADD_FAILURE() << method.full_name() << " says nobody who may call it";
  return 4;
}

class AccessTest : public SharedTest {};

TEST_F(AccessTest, EveryMethodForEveryRole) {
  Start();
  const std::pair<const char*, const char*> users[] = {
      {"nobody", "none"}, {"vera", "viewer"}, {"otto", "operator"}, {"ada", "admin"}};
  std::vector<common::Channel> channels;
  for (const auto& [user, role] : users) {
    StoreOf(user, role);
    channels.push_back(ChannelOf(user));
  }
  const common::Channel stranger = common::Channel::Tls(
      address(), {.ca_pem = common::ReadFile(Credential("ada", "ca.pem")).value_or("")});
  constexpr const char* kRoles[] = {"", "viewer", "operator", "admin"};
  int methods = 0;
  int with_details = 0;
  for (const auto* service : orchestrator::ServedServices()) {
    for (int i = 0; i < service->method_count(); ++i, ++methods) {
      const MethodDescriptor& method = *service->method(i);
      const std::string path = orchestrator::PathOf(method);
      const int needed = RankOf(method);
      const absl::Duration timeout = method.server_streaming() ? kStreamTimeout : kCallTimeout;
      const grpc::Status without = CallRaw(stranger, path, "", timeout);
      EXPECT_EQ(without.error_code(), grpc::StatusCode::UNAUTHENTICATED) << path;
      EXPECT_THAT(without.error_message(),
                  HasSubstr(needed == -1 ? "the join token is unknown" : "client certificate"))
          << path;
      for (int rank = 0; rank < 4; ++rank) {
        const bool allowed = rank >= needed;
        // This one would end it all; that admins may is shown below.
        if (allowed && method.name() == "Shutdown") continue;
        if (needed == -1) continue;
        const grpc::Status status = CallRaw(channels[static_cast<size_t>(rank)], path, "", timeout);
        EXPECT_EQ(status.error_code() != grpc::StatusCode::PERMISSION_DENIED &&
                      status.error_code() != grpc::StatusCode::UNAUTHENTICATED,
                  allowed)
            << path << " as " << users[rank].second << ": " << status.error_code() << " "
            << status.error_message();
        if (allowed) continue;
        EXPECT_THAT(status.error_message(), HasSubstr(absl::StrCat("role ", kRoles[needed])))
            << path;
        const absl::Status details = common::FromGrpcStatus(status);
        if (common::ReasonOf(details) != machine::v1::ERROR_REASON_ROLE_REQUIRED) continue;
        ++with_details;
        EXPECT_EQ(common::ErrorMetadataOf(details, "method"), path.substr(1));
        EXPECT_EQ(common::ErrorMetadataOf(details, "role"), kRoles[needed]) << path;
      }
    }
  }
  EXPECT_GT(methods, 40);
  EXPECT_GT(with_details, 20);
  for (const char* unknown :
       {"/machine.v1.Machines/Nothing", "/x.Y/Z", "/grpc.channelz.v1.Channelz/GetServers"}) {
    EXPECT_EQ(CallRaw(channels[3], unknown, "", kCallTimeout).error_code(),
              grpc::StatusCode::PERMISSION_DENIED)
        << unknown;
  }
  EXPECT_TRUE(CallRaw(channels[3], "/machine.v1.Server/Shutdown", "", kCallTimeout).ok());
}

TEST_F(AccessTest, NoServiceIsServedThatTheTableOfRolesDoesNotKnow) {
  Start();
  StoreOf("ada", "admin");
  // ServerReflectionRequest{list_services: "*"} of gRPC's own reflection.
  std::string served;
  const grpc::Status status =
      CallRaw(ChannelOf("ada"), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
              "\x3a\x01*", kCallTimeout, &served);
  ASSERT_TRUE(status.ok()) << status.error_message();
  std::set<std::string> listed;
  re2::StringPiece rest(served);
  for (std::string name;
       RE2::FindAndConsume(&rest, R"(((?:machine|google)\.[A-Za-z0-9.]+))", &name);) {
    listed.insert(name);
  }
  std::set<std::string> known;
  for (const auto* service : orchestrator::ServedServices()) known.insert(service->full_name());
  EXPECT_EQ(listed, known);
}

TEST_F(AccessTest, AGrantCountsForItsMachinesOnly) {
  Start();
  StoreOf("ada", "admin");
  StoreOf("greg", "none");
  const common::Channel admin = ChannelOf("ada");
  const common::Channel greg = ChannelOf("greg");
  for (const std::string name : {"mine", "other"}) {
    const Outcome made = RunAs("ada", "create -d none --url tcp://127.0.0.1:1 " + name);
    ASSERT_EQ(made.exit_code, 0) << made;
  }
  machine::v1::UpdateMachineRequest label;
  label.mutable_machine()->set_name("machines/mine");
  (*label.mutable_machine()->mutable_labels())["team"] = "ci";
  machine::v1::Machine machine;
  ASSERT_TRUE(Call<machine::v1::Machines>(admin, &machine::v1::Machines::Stub::UpdateMachine, label,
                                          &machine)
                  .ok());
  EXPECT_EQ(GetMachine(greg, "mine").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(RunAs("greg", "ls").exit_code, 0);
  const Outcome granted = RunAs("ada", "grant add greg operator labels.team = ci");
  ASSERT_EQ(granted.exit_code, 0) << granted;

  EXPECT_TRUE(GetMachine(greg, "mine").ok());
  const absl::Status other = GetMachine(greg, "other");
  EXPECT_EQ(common::ReasonOf(other), machine::v1::ERROR_REASON_ROLE_REQUIRED) << other;
  EXPECT_EQ(GetMachine(greg, "nothing").code(), absl::StatusCode::kPermissionDenied)
      << "it would tell which machines there are";
  EXPECT_EQ(RunAs("greg", "ls -q").out, "mine\n");
  EXPECT_THAT(RunAs("greg", "rm -y other").err, HasSubstr("may not"));
  EXPECT_THAT(RunAs("greg", "create -d none --url tcp://127.0.0.1:1 new").err,
              HasSubstr("may not"));
  EXPECT_THAT(RunAs("ada", "ls -q").out, HasSubstr("other"));

  google::longrunning::ListOperationsResponse seen;
  google::longrunning::ListOperationsResponse all;
  using google::longrunning::Operations;
  const google::longrunning::ListOperationsRequest list;
  ASSERT_TRUE(Call<Operations>(admin, &Operations::Stub::ListOperations, list, &all).ok());
  ASSERT_TRUE(Call<Operations>(greg, &Operations::Stub::ListOperations, list, &seen).ok());
  ASSERT_EQ(all.operations_size(), 2);
  ASSERT_EQ(seen.operations_size(), 1);
  for (const auto& operation : all.operations()) {
    google::longrunning::GetOperationRequest get;
    get.set_name(operation.name());
    google::longrunning::Operation got;
    EXPECT_EQ(Call<Operations>(greg, &Operations::Stub::GetOperation, get, &got).code(),
              operation.name() == seen.operations(0).name() ? absl::StatusCode::kOk
                                                            : absl::StatusCode::kPermissionDenied);
  }

  machine::v1::Machines::Stub stub(greg.grpc());
  grpc::ClientContext context;
  greg.Prepare(context, kCallTimeout);
  machine::v1::WatchMachinesRequest watch;
  watch.set_send_initial(true);
  const auto events = stub.WatchMachines(&context, watch);
  machine::v1::MachineEvent event;
  std::vector<std::string> names;
  while (events->Read(&event) && event.type() != machine::v1::MachineEvent::BOOKMARK) {
    names.push_back(event.machine().name());
  }
  EXPECT_THAT(names, ElementsAre("machines/mine"));
  // What is taken back counts at once, also for what is under way.
  std::string id = granted.out;
  ASSERT_EQ(RunAs("ada", "grant rm " + id.substr(0, id.size() - 1)).exit_code, 0);
  EXPECT_FALSE(events->Read(&event));
  EXPECT_FALSE(events->Finish().ok());
  EXPECT_EQ(GetMachine(greg, "mine").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(RunAs("ada", "rm -y mine other").exit_code, 0);
}

TEST_F(AccessTest, ARevokedUserIsOutAtOnceAndAlsoUnderTheSameName) {
  Start();
  StoreOf("ada", "admin");
  StoreOf("vera", "viewer");
  const common::Channel vera = ChannelOf("vera");
  EXPECT_TRUE(GetInfo(vera).ok());
  ASSERT_EQ(RunAs("ada", "user rm vera").exit_code, 0);
  const absl::Status revoked = GetInfo(vera);
  EXPECT_EQ(revoked.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(revoked.message()), HasSubstr("docker-machine login TOKEN"));
  EXPECT_THAT(RunAs("vera", "ls").err, HasSubstr("was revoked"));
  Token("vera", "viewer");
  EXPECT_EQ(GetInfo(ChannelOf("vera")).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(RunAs("ada", "user rm ada").err, HasSubstr("last admin"));
}

TEST_F(AccessTest, ATokenWorksOnceAndForItsOrchestratorOnly) {
  Start();
  const std::string token = Token("vera", "viewer");
  const std::string flag = "--storage-path=" + world_.Path("vera");
  ASSERT_EQ(world_.RunWords({flag, "server", "add", "team", "--address", address()}).exit_code, 0);
  EXPECT_THAT(world_.RunWords({flag, "--host", "team", "ls"}).err,
              HasSubstr("not joined to the server \"team\" yet"));
  ASSERT_EQ(world_.RunWords({flag, "login"}, token + "\n").exit_code, 0);
  const Outcome again = world_.RunWords({flag, "login", token});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("was used before"));
  // The same token with another fingerprint: nothing is sent to a server that is not the one.
  std::string other = Token("otto", "viewer");
  other[other.size() - 3] = other[other.size() - 3] == 'A' ? 'B' : 'A';
  EXPECT_THAT(world_.RunWords({flag, "login", other}).err, HasSubstr("was not sent to it"));
  EXPECT_THAT(world_.RunWords({flag, "login", "nonsense"}).err, HasSubstr("no join token"));
}

// Clients of an authority that is given: its certificates can be made as bad as one likes.
class GivenAuthorityTest : public AccessTest {
 protected:
  static common::CertAuthority NewAuthority(const common::Clock& clock = common::Clock::Real()) {
    return *common::CertAuthority::Create("clients", absl::Hours(24 * 365), clock);
  }
  common::Channel ChannelWith(const common::IssuedCert& cert) const {
    return common::Channel::Tls(
        address(), {.ca_pem = common::ReadFile(Credential("ada", "ca.pem")).value_or(""),
                    .client_cert_pem = cert.cert_pem,
                    .client_key_pem = std::string(cert.key_pem.view())});
  }
  static common::IssuedCert CertOf(const common::CertAuthority& ca, absl::string_view user,
                                   absl::Duration lifetime = absl::Hours(1)) {
    return *ca.IssueClient(
        {.common_name = "x", .uri = absl::StrCat(orchestrator::kUserUriPrefix, user)}, lifetime);
  }
};

TEST_F(GivenAuthorityTest, OnlyCertificatesThatAreGoodAreTaken) {
  common::FakeClock past;
  past.Advance(absl::Now() - past.Now() - absl::Hours(2));
  const common::CertAuthority ca = NewAuthority(past);
  const std::string file = world_.Path("clients.pem");
  ASSERT_TRUE(common::WriteFileAtomically(file, ca.cert_pem(), 0600).ok());
  Start({"--client-ca=" + file});
  StoreOf("ada", "admin");
  Token("vera", "viewer");
  EXPECT_TRUE(GetInfo(ChannelWith(CertOf(ca, "vera", absl::Hours(9)))).ok());
  EXPECT_EQ(GetInfo(ChannelWith(CertOf(ca, "unknown", absl::Hours(9)))).code(),
            absl::StatusCode::kUnauthenticated);
  const common::IssuedCert no_uri = *ca.IssueClient({.common_name = "ada"}, absl::Hours(9));
  EXPECT_EQ(GetInfo(ChannelWith(no_uri)).code(), absl::StatusCode::kUnauthenticated);
  // These do not even get a connection.
  EXPECT_EQ(GetInfo(ChannelWith(CertOf(ca, "vera", absl::Hours(1)))).code(),
            absl::StatusCode::kUnavailable)
      << "expired";
  EXPECT_EQ(GetInfo(ChannelWith(CertOf(NewAuthority(), "vera"))).code(),
            absl::StatusCode::kUnavailable)
      << "another authority";
  // A server's certificate is none of a client.
  const common::IssuedCert server = *ca.IssueServer({"vera"}, absl::Hours(9));
  EXPECT_FALSE(GetInfo(ChannelWith(server)).ok());
}

TEST_F(GivenAuthorityTest, ACertificateIsRenewedBeforeItEnds) {
  common::FakeClock past;
  past.Advance(absl::Now() - past.Now() - absl::Hours(8));
  const common::CertAuthority ca = NewAuthority(past);
  const std::string file = world_.Path("clients.pem");
  ASSERT_TRUE(common::WriteFileAtomically(file, ca.cert_pem(), 0600).ok());
  Start({"--client-ca=" + file});
  const std::string store = StoreOf("ada", "admin");
  // An hour of nine is left.
  const common::IssuedCert old = CertOf(ca, "ada", absl::Hours(9));
  const std::string cert = world_.Path("old.pem");
  const std::string key = world_.Path("old.key");
  ASSERT_TRUE(common::WriteFileAtomically(cert, old.cert_pem, 0600).ok());
  ASSERT_TRUE(common::WriteFileAtomically(key, old.key_pem.view(), 0600).ok());
  const std::string own_ca = *common::ReadFile(Credential("ada", "ca.pem"));
  ASSERT_TRUE(common::WriteFileAtomically(world_.Path("ca.pem"), own_ca, 0600).ok());
  const Outcome adopted = RunAs(
      "ada", absl::StrCat("login --ca ", world_.Path("ca.pem"), " --cert ", cert, " --key ", key));
  ASSERT_EQ(adopted.exit_code, 0) << adopted;
  EXPECT_EQ(adopted.out, "Logged in to \"team\" as ada (admin).\n");
  ASSERT_EQ(RunAs("ada", "ls").exit_code, 0);
  const std::string now = *common::ReadFile(Credential("ada", "cert.pem"));
  EXPECT_NE(now, old.cert_pem);
  EXPECT_TRUE(common::VerifySignedBy(now, own_ca).ok());
  EXPECT_GT(common::CertInfo::Parse(now)->not_after, absl::Now() + absl::Hours(24 * 29));
  EXPECT_EQ(RunAs("ada", "user ls").exit_code, 0);
  // One that has ended is not even tried.
  const common::IssuedCert ended = CertOf(ca, "ada", absl::Hours(1));
  ASSERT_TRUE(
      common::WriteFileAtomically(Credential("ada", "key.pem"), ended.key_pem.view(), 0600).ok());
  ASSERT_TRUE(
      common::WriteFileAtomically(Credential("ada", "cert.pem"), ended.cert_pem, 0600).ok());
  EXPECT_THAT(RunAs("ada", "ls").err, HasSubstr("docker-machine login --server team TOKEN"));
}

TEST_F(GivenAuthorityTest, TheServersCertificateIsReadAgainWithoutARestart) {
  const std::string cert = world_.Path("server.pem");
  const std::string key = world_.Path("server.key");
  const auto put = [&](const common::CertAuthority& ca) {
    const common::IssuedCert issued = *ca.IssueServer({"127.0.0.1"}, absl::Hours(1));
    ASSERT_TRUE(common::WriteFileAtomically(key, issued.key_pem.view(), 0600).ok());
    ASSERT_TRUE(common::WriteFileAtomically(cert, issued.cert_pem + ca.cert_pem(), 0600).ok());
  };
  put(NewAuthority());
  Start({"--tls-cert=" + cert, "--tls-key=" + key});
  StoreOf("ada", "admin");
  EXPECT_TRUE(GetInfo(ChannelOf("ada")).ok());
  const common::CertAuthority next = NewAuthority();
  put(next);
  const bool read_again = Eventually(absl::Seconds(60), [&] {
    return GetInfo(
               common::Channel::Tls(
                   address(), {.ca_pem = next.cert_pem(),
                               .client_cert_pem = *common::ReadFile(Credential("ada", "cert.pem")),
                               .client_key_pem = *common::ReadFile(Credential("ada", "key.pem"))}))
        .ok();
  });
  EXPECT_TRUE(read_again);
  EXPECT_THAT(RunAs("ada", "ls").err, HasSubstr("not signed by the CA that this user trusts"));
}

TEST_F(AccessTest, APathToTheSocketIsNotEnough) {
  Start();
  const common::Channel thief = common::Channel::Local(ServerField("address"), "");
  EXPECT_EQ(GetInfo(thief).code(), absl::StatusCode::kUnauthenticated);
  const common::Channel guess =
      common::Channel::Local(ServerField("address"), std::string(32, '0'));
  EXPECT_EQ(GetInfo(guess).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(GetInfo(common::Channel::Local(ServerField("address"), ServerField("cookie"))).ok());
}

TEST_F(AccessTest, HealthIsAnsweredToEveryUserAndOnItsOwnHost) {
  Start();
  StoreOf("vera", "viewer");
  EXPECT_TRUE(common::CheckHealth(ChannelOf("vera"), absl::Seconds(30)).ok());
  const common::Channel local =
      common::Channel::Local(ServerField("address"), ServerField("cookie"));
  EXPECT_TRUE(common::CheckHealth(local, absl::Seconds(30)).ok());
}

TEST_F(AccessTest, MessagesThatAreTooLargeOrNoneAreRefusedAndHarmNobody) {
  Start();
  StoreOf("ada", "admin");
  const common::Channel ada = ChannelOf("ada");
  const std::string method = "/machine.v1.Machines/GetMachine";
  EXPECT_EQ(CallRaw(ada, method, std::string(5 << 20, 'x'), kCallTimeout).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  for (const std::string& bytes : {std::string("\xff\xff\xff\xff"), std::string(1000, '\x0a'),
                                   std::string("\x0a\xff\xff\xff\xff\x0f")}) {
    EXPECT_FALSE(CallRaw(ada, method, bytes, kCallTimeout).ok());
    EXPECT_FALSE(CallRaw(ada, "/machine.v1.Sessions/Exec", bytes, kCallTimeout).ok());
    EXPECT_FALSE(CallRaw(ada, "/machine.v1.Access/Join", bytes, kCallTimeout).ok());
  }
  EXPECT_TRUE(GetInfo(ada).ok());
}

TEST_F(AccessTest, AFloodIsBounded) {
  Start();
  StoreOf("vera", "viewer");
  const std::string ca = *common::ReadFile(Credential("vera", "ca.pem"));
  const common::Channel stranger = common::Channel::Tls(address(), {.ca_pem = ca});
  int exhausted = 0;
  for (int i = 0; i < 200; ++i) {
    const grpc::Status status = CallRaw(stranger, "/machine.v1.Access/Join", "", kCallTimeout);
    if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) ++exhausted;
  }
  EXPECT_GT(exhausted, 100);
  // 5,000 calls at the same time: all are answered.
  const common::Channel vera = ChannelOf("vera");
  grpc::GenericStub stub(vera.grpc());
  struct Pending {
    grpc::ClientContext context;
    grpc::ByteBuffer answer;
    grpc::Status status;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> call;
  };
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<Pending>> calls;
  const grpc::Slice empty("");
  for (int i = 0; i < 5000; ++i) {
    auto& pending = *calls.emplace_back(std::make_unique<Pending>());
    vera.Prepare(pending.context, absl::Minutes(5));
    pending.call = stub.PrepareUnaryCall(&pending.context, "/machine.v1.Machines/ListMachines",
                                         grpc::ByteBuffer(&empty, 1), &queue);
    pending.call->StartCall();
    pending.call->Finish(&pending.answer, &pending.status, &pending);
  }
  for (size_t i = 0; i < calls.size(); ++i) {
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_TRUE(static_cast<Pending*>(tag)->status.ok());
  }
  EXPECT_TRUE(GetInfo(vera).ok());
}

TEST_F(AccessTest, TheAuditLogTellsWhoDidWhatAndShowsThatItWasChanged) {
  Start();
  StoreOf("ada", "admin");
  StoreOf("vera", "viewer");
  ASSERT_EQ(RunAs("ada", "create -d none --url tcp://127.0.0.1:1 dev").exit_code, 0);
  EXPECT_NE(RunAs("vera", "rm -y dev").exit_code, 0);
  EXPECT_EQ(RunAs("vera", "ls").exit_code, 0);
  EXPECT_EQ(RunAs("ada", "rm -y dev").exit_code, 0);
  const Outcome log = RunAs("ada", "audit");
  ASSERT_EQ(log.exit_code, 0) << log;
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(log.out, '\n', absl::SkipEmpty())) {
    std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words[0] == "SEQUENCE") continue;
    // Without sequence, date, time and peer.
    lines.push_back(absl::StrCat(words[3], " ", words[4], " ", words[5], " ", words[6]));
  }
  EXPECT_THAT(lines,
              ElementsAre("local machine.v1.Access/CreateJoinToken users/ada OK",
                          "- machine.v1.Access/Join users/ada OK",
                          "local machine.v1.Access/CreateJoinToken users/vera OK",
                          "- machine.v1.Access/Join users/vera OK",
                          "ada machine.v1.Machines/CreateMachine machines/dev OK",
                          "vera machine.v1.Machines/DeleteMachine machines/dev PERMISSION_DENIED",
                          "ada machine.v1.Machines/DeleteMachine machines/dev OK"));
  EXPECT_THAT(RunAs("ada", "audit --verify").out, HasSubstr("The audit log is whole: 7 entries"));
  EXPECT_THAT(RunAs("vera", "audit").err, HasSubstr("needs the role admin"));

  ASSERT_TRUE(world_.StopOrchestrator());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((shared() + "/server/store.db").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "DELETE FROM audit WHERE sequence = 6", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  Start();
  ASSERT_EQ(world_.RunWords({"--storage-path=" + world_.Path("store-ada"), "server", "rm", "team"})
                .exit_code,
            0);
  const common::Channel local =
      common::Channel::Local(ServerField("address"), ServerField("cookie"));
  machine::v1::VerifyAuditResponse response;
  const absl::Status verified = Call<machine::v1::Access>(
      local, &machine::v1::Access::Stub::VerifyAudit, machine::v1::VerifyAuditRequest(), &response);
  EXPECT_EQ(verified.code(), absl::StatusCode::kDataLoss) << verified;
  EXPECT_EQ(common::ErrorMetadataOf(verified, "sequence"), "6");
}

}  // namespace
}  // namespace machine::tests
