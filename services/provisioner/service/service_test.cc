// The service over gRPC with a real ssh server on this machine.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "services/common/ssh/sshd_for_test.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/provisioner/service/provisioner_for_test.h"
#include "services/provisioner/service/session_relay.h"

namespace machine::provisioner {
namespace {

using ::machine::common::SshdForTest;
using ::machine::v1::ExecResponse;
using ::machine::v1::TunnelResponse;
using ::provisioner::v1::ExecRequest;
using ::provisioner::v1::SshTarget;
using ::provisioner::v1::TunnelRequest;
using ::provisioner::v1::WaitForSshRequest;
using ::testing::HasSubstr;
using ::testing::Not;

struct ExecOutcome {
  std::string stdout_data;
  std::string stderr_data;
  int code = -1;
  std::string signal;
  absl::Status status;
  size_t largest_chunk = 0;
};

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto sshd = SshdForTest::Start();
    ASSERT_TRUE(sshd.ok()) << sshd.status();
    sshd_ = *std::move(sshd);
    const common::SshTarget ssh = sshd_->target();
    target_.set_host(ssh.host);
    target_.set_port(ssh.port);
    target_.set_user(ssh.user);
    target_.set_private_key(ssh.private_key);
    target_.set_machine_uid("uid-1");
    target_.set_key_label("/keys/id_test");
  }

  using ExecStream = grpc::ClientReaderWriter<ExecRequest, ExecResponse>;

  std::unique_ptr<ExecStream> StartExec(grpc::ClientContext* context, const std::string& command,
                                        bool pty = false) {
    auto stream = provisioner_.stub().Exec(context);
    ExecRequest start;
    *start.mutable_start()->mutable_target() = target_;
    start.mutable_start()->mutable_exec()->set_command(command);
    start.mutable_start()->mutable_exec()->set_pty(pty);
    if (pty) {
      start.mutable_start()->mutable_exec()->mutable_window()->set_columns(91);
      start.mutable_start()->mutable_exec()->mutable_window()->set_rows(17);
    }
    stream->Write(start);
    return stream;
  }

  static ExecOutcome Collect(ExecStream& stream) {
    ExecOutcome outcome;
    ExecResponse response;
    while (stream.Read(&response)) {
      outcome.stdout_data += response.stdout();
      outcome.stderr_data += response.stderr();
      outcome.largest_chunk = std::max(outcome.largest_chunk, response.stdout().size());
      if (response.has_exit()) {
        outcome.code = response.exit().code();
        outcome.signal = response.exit().signal();
      }
    }
    outcome.status = common::FromGrpcStatus(stream.Finish());
    return outcome;
  }

  ExecOutcome Exec(const std::string& command, bool pty = false) {
    const auto context = provisioner_.Context();
    const auto stream = StartExec(context.get(), command, pty);
    return Collect(*stream);
  }

  StreamOutcome Wait(absl::Duration timeout = absl::Seconds(30)) {
    WaitForSshRequest request;
    *request.mutable_target() = target_;
    request.mutable_timeout()->set_nanos(absl::ToInt64Nanoseconds(timeout) % 1'000'000'000);
    request.mutable_timeout()->set_seconds(absl::ToInt64Seconds(timeout));
    return provisioner_.WaitForSsh(request);
  }

  std::unique_ptr<SshdForTest> sshd_;
  SshTarget target_;
  ProvisionerForTest provisioner_;
};

TEST_F(ServiceTest, WaitForSshPinsTheHostKeyAndKeepsTheConnection) {
  const StreamOutcome first = Wait();
  ASSERT_TRUE(first.info.ok()) << first.info.status();
  EXPECT_EQ(first.info->host_key_sha256(), sshd_->host_key_sha256());
  EXPECT_EQ(first.info->connections_opened(), 1);
  const auto info = provisioner_.Detect(target_);
  ASSERT_TRUE(info.ok() ||
              common::ReasonOf(info.status()) == machine::v1::ERROR_REASON_UNSUPPORTED_HOST)
      << info.status();
  EXPECT_EQ(Wait().info->connections_opened(), 0);
  EXPECT_THAT(provisioner_.metrics_text(),
              HasSubstr("provisioner_ssh_connections_opened_total 1\n"));
  EXPECT_THAT(provisioner_.metrics_text(), HasSubstr("provisioner_commands_total 2\n"));
}

TEST_F(ServiceTest, ARefusedKeyIsFinalAndNamed) {
  sshd_->RevokeAllKeys();
  const StreamOutcome outcome = Wait();
  EXPECT_EQ(common::ReasonOf(outcome.info.status()), machine::v1::ERROR_REASON_SSH_KEY_REFUSED);
  EXPECT_THAT(std::string(outcome.info.status().message()), HasSubstr("/keys/id_test"));
  EXPECT_LT(outcome.took, absl::Seconds(10));
}

TEST_F(ServiceTest, AnAddressThatRefusesIsReportedWithTheCause) {
  sshd_->Kill();
  const StreamOutcome outcome = Wait(absl::Milliseconds(300));
  EXPECT_EQ(common::ReasonOf(outcome.info.status()), machine::v1::ERROR_REASON_SSH_UNREACHABLE);
  EXPECT_THAT(std::string(outcome.info.status().message()), HasSubstr("Connection refused"));
}

TEST_F(ServiceTest, AnotherHostKeyIsRefused) {
  target_.set_host_key_sha256(std::string(43, 'A'));
  EXPECT_EQ(common::ReasonOf(Wait().info.status()), machine::v1::ERROR_REASON_SSH_HOST_KEY_CHANGED);
}

TEST_F(ServiceTest, ATargetNeedsAKey) {
  target_.clear_private_key();
  EXPECT_EQ(Wait().info.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Wait().info.status().message()),
              HasSubstr("neither a private key nor an agent"));
}

TEST_F(ServiceTest, AnOlderOperationIsTurnedAway) {
  target_.set_fencing_token(7);
  ASSERT_TRUE(Wait().info.ok());
  target_.set_fencing_token(6);
  EXPECT_EQ(common::ReasonOf(Wait().info.status()), machine::v1::ERROR_REASON_STALE_FENCING_TOKEN);
  target_.set_fencing_token(0);
  EXPECT_EQ(Wait().info->connections_opened(), 0);
  target_.set_fencing_token(8);
  EXPECT_EQ(Wait().info->connections_opened(), 1);
}

TEST_F(ServiceTest, ExecGivesOutputAndExitStatus) {
  const ExecOutcome outcome = Exec("echo out; echo err >&2; exit 7");
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.stdout_data, "out\n");
  EXPECT_EQ(outcome.stderr_data, "err\n");
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.signal, "");
}

TEST_F(ServiceTest, ExecTellsOfASignal) {
  const ExecOutcome outcome = Exec("kill -KILL $$");
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.code, 255);
  EXPECT_EQ(outcome.signal, "KILL");
}

TEST_F(ServiceTest, ExecWithATerminalHasItsSize) {
  const ExecOutcome outcome = Exec("stty size", /*pty=*/true);
  EXPECT_THAT(outcome.stdout_data, HasSubstr("17 91"));
}

TEST_F(ServiceTest, TheTerminalCanChangeItsSize) {
  const auto context = provisioner_.Context();
  const auto stream = StartExec(
      context.get(), "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done",
      /*pty=*/true);
  ExecResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ExecRequest resize;
  resize.mutable_request()->mutable_window()->set_columns(40);
  resize.mutable_request()->mutable_window()->set_rows(10);
  stream->Write(resize);
  EXPECT_THAT(Collect(*stream).stdout_data, HasSubstr("10 40"));
}

TEST_F(ServiceTest, SignalsReachTheServer) {
  const auto context = provisioner_.Context();
  const auto stream = StartExec(context.get(), "echo ready; exec sleep 100");
  ExecResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ExecRequest signal;
  signal.mutable_request()->set_signal("TERM");
  stream->Write(signal);
  if (geteuid() == 0) {  // sshd does not signal the processes of root's sessions, and says so.
    EXPECT_TRUE(sshd_->AwaitLog("session signalling requires privilege separation"));
    context->TryCancel();
    EXPECT_TRUE(absl::IsCancelled(Collect(*stream).status));
  } else {
    EXPECT_EQ(Collect(*stream).signal, "TERM");
  }
}

TEST_F(ServiceTest, MuchInputAndOutputPassThrough) {
  const auto context = provisioner_.Context();
  const auto stream = StartExec(context.get(), "cat");
  constexpr int kChunks = 640;  // 20 MiB: far more than any buffer on the way.
  const std::string chunk(kMaxChunkBytes, 'x');
  std::thread writer([&stream, &chunk] {
    ExecRequest input;
    input.mutable_request()->set_stdin(chunk);
    for (int i = 0; i < kChunks; ++i) ASSERT_TRUE(stream->Write(input));
    ExecRequest eof;
    eof.mutable_request()->set_eof(true);
    stream->Write(eof);
    stream->WritesDone();
  });
  const ExecOutcome outcome = Collect(*stream);
  writer.join();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.stdout_data.size(), kChunks * kMaxChunkBytes);
  EXPECT_LE(outcome.largest_chunk, kMaxChunkBytes);
}

// A client that does not read holds the host back: the command cannot have written everything.
TEST_F(ServiceTest, ASlowReaderHoldsTheCommandBack) {
  const std::string mark = absl::StrCat(sshd_->dir(), "/done");
  const auto context = provisioner_.Context();
  const auto stream = StartExec(
      context.get(), absl::StrCat("echo ready; head -c 300000000 /dev/zero; touch ", mark));
  ExecResponse response;
  ASSERT_TRUE(stream->Read(&response));
  // Another session in the meantime shows that the connection is not stuck.
  EXPECT_EQ(Exec("echo alive").stdout_data, "alive\n");
  EXPECT_NE(access(mark.c_str(), F_OK), 0);
  context->TryCancel();
  EXPECT_TRUE(absl::IsCancelled(Collect(*stream).status));
}

TEST_F(ServiceTest, ALostConnectionIsReplacedBeforeTheCommandStarts) {
  ASSERT_EQ(Exec("true").code, 0);
  const int port = sshd_->port();
  ASSERT_EQ(Exec("kill $PPID").code, -1);  // The server's process for this connection.
  ASSERT_EQ(sshd_->port(), port);
  EXPECT_EQ(Exec("exit 3").code, 3);
}

TEST_F(ServiceTest, TheFirstMessageMustBeStart) {
  const auto context = provisioner_.Context();
  const auto stream = provisioner_.stub().Exec(context.get());
  ExecRequest input;
  input.mutable_request()->set_stdin("x");
  stream->Write(input);
  EXPECT_EQ(Collect(*stream).status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ServiceTest, ExecToNobodyFailsWithTheReason) {
  sshd_->Kill();
  EXPECT_EQ(common::ReasonOf(Exec("true").status), machine::v1::ERROR_REASON_SSH_UNREACHABLE);
}

// The channel of the suite repeats UNAVAILABLE: a wait of 60 s would become one of four minutes.
TEST_F(ServiceTest, AHostThatDoesNotAnswerIsNotAskedAgain) {
  sshd_->Kill();
  EXPECT_TRUE(absl::IsUnavailable(provisioner_.Detect(target_).status()));
  EXPECT_TRUE(absl::IsUnavailable(Exec("true").status));
  EXPECT_TRUE(absl::IsUnavailable(Wait(absl::Milliseconds(100)).info.status()));
  EXPECT_EQ(provisioner_.calls().entered(), 3);
}

TEST_F(ServiceTest, TunnelCarriesBytesBothWays) {
  // A server that answers one line and closes.
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  std::thread server([listener] {
    const int client = accept(listener, nullptr, nullptr);
    char buffer[64];
    const ssize_t n = read(client, buffer, sizeof(buffer));
    const std::string answer = absl::StrCat("got ", std::string(buffer, n > 0 ? n : 0));
    EXPECT_EQ(write(client, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    close(client);
  });

  const auto context = provisioner_.Context();
  const auto stream = provisioner_.stub().Tunnel(context.get());
  TunnelRequest start;
  *start.mutable_start()->mutable_target() = target_;
  start.mutable_start()->mutable_tunnel()->set_host("127.0.0.1");
  start.mutable_start()->mutable_tunnel()->set_port(ntohs(address.sin_port));
  stream->Write(start);
  TunnelRequest data;
  data.mutable_request()->set_data("hello");
  stream->Write(data);
  std::string received;
  bool eof = false;
  TunnelResponse response;
  while (stream->Read(&response)) {
    received += response.data();
    if (!response.eof()) continue;
    eof = true;
    stream->WritesDone();
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(received, "got hello");
  EXPECT_TRUE(eof);
  server.join();
  close(listener);
}

TEST_F(ServiceTest, ATunnelNeedsAPort) {
  const auto context = provisioner_.Context();
  const auto stream = provisioner_.stub().Tunnel(context.get());
  TunnelRequest start;
  *start.mutable_start()->mutable_target() = target_;
  stream->Write(start);
  TunnelResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServiceTest, CheckDockerNamesTheCause) {
  ::provisioner::v1::CheckDockerRequest request;
  request.set_docker_url("tcp://127.0.0.1:1");
  ::provisioner::v1::CheckDockerResponse response;
  auto context = provisioner_.Context();
  absl::Status status =
      common::FromGrpcStatus(provisioner_.stub().CheckDocker(context.get(), request, &response));
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_ENGINE_UNREACHABLE);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("firewall"));

  request.set_docker_url("unix:///var/run/docker.sock");
  context = provisioner_.Context();
  status =
      common::FromGrpcStatus(provisioner_.stub().CheckDocker(context.get(), request, &response));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ServiceTest, DrainingEndsWhatRunsAndRefusesWhatComes) {
  const auto context = provisioner_.Context();
  const auto stream = StartExec(context.get(), "echo ready; exec sleep 100");
  ExecResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(provisioner_.calls().Drain(absl::Seconds(10)));
  EXPECT_EQ(common::ReasonOf(Collect(*stream).status), machine::v1::ERROR_REASON_SHUTTING_DOWN);
  EXPECT_EQ(common::ReasonOf(Wait().info.status()), machine::v1::ERROR_REASON_SHUTTING_DOWN);
  EXPECT_EQ(common::ReasonOf(Exec("true").status), machine::v1::ERROR_REASON_SHUTTING_DOWN);
  EXPECT_EQ(common::ReasonOf(provisioner_.Detect(target_).status()),
            machine::v1::ERROR_REASON_SHUTTING_DOWN);
}

}  // namespace
}  // namespace machine::provisioner
