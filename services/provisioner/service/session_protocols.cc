#include "services/provisioner/service/session_protocols.h"

#include "services/common/status/status.h"

namespace machine::provisioner {

using ::machine::common::InvalidField;
using ::machine::common::PtySpec;
using ::machine::common::SshSession;

absl::Status ExecProtocol::CheckStart(const Request& request) {
  if (request.has_start()) return absl::OkStatus();
  return InvalidField("start", "start must be the first message");
}

absl::StatusOr<std::shared_ptr<SshSession>> ExecProtocol::Open(common::SshConnection& connection,
                                                               const Request& start,
                                                               common::SessionCallbacks callbacks) {
  const machine::v1::ExecStart& exec = start.start().exec();
  common::ExecSpec spec;
  spec.command = exec.command();
  spec.env = {exec.env().begin(), exec.env().end()};
  if (exec.pty()) {
    PtySpec pty;
    if (!exec.term().empty()) pty.term = exec.term();
    if (exec.window().columns() > 0) pty.columns = exec.window().columns();
    if (exec.window().rows() > 0) pty.rows = exec.window().rows();
    spec.pty = pty;
  }
  return connection.OpenExec(spec, std::move(callbacks));
}

void ExecProtocol::Deliver(const Request& request, SshSession& session) {
  using Kind = machine::v1::ExecRequest::KindCase;
  const machine::v1::ExecRequest& input = request.request();
  switch (input.kind_case()) {
    case Kind::kStdin:
      session.Write(input.stdin());
      break;
    case Kind::kEof:
      session.SendEof();
      break;
    case Kind::kWindow:
      session.Resize(input.window().columns(), input.window().rows());
      break;
    case Kind::kSignal:
      session.Signal(input.signal());
      break;
    case Kind::kStart:
    case Kind::KIND_NOT_SET:
      break;
  }
}

ExecProtocol::Response ExecProtocol::Stdout(absl::string_view bytes) {
  Response response;
  response.set_stdout(bytes.data(), bytes.size());
  return response;
}

ExecProtocol::Response ExecProtocol::Stderr(absl::string_view bytes) {
  Response response;
  response.set_stderr(bytes.data(), bytes.size());
  return response;
}

std::optional<ExecProtocol::Response> ExecProtocol::Exit(int code, absl::string_view signal) {
  Response response;
  response.mutable_exit()->set_code(signal.empty() ? code : 255);
  response.mutable_exit()->set_signal(std::string(signal));
  return response;
}

absl::Status TunnelProtocol::CheckStart(const Request& request) {
  if (!request.has_start()) return InvalidField("start", "start must be the first message");
  const int port = request.start().tunnel().port();
  if (port < 1 || port > 65535)
    return InvalidField("start.tunnel.port", "the tunnel's port must be 1 to 65535");
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<SshSession>> TunnelProtocol::Open(
    common::SshConnection& connection, const Request& start, common::SessionCallbacks callbacks) {
  const machine::v1::TunnelStart& tunnel = start.start().tunnel();
  return connection.OpenTunnel(tunnel.host().empty() ? "localhost" : tunnel.host(), tunnel.port(),
                               std::move(callbacks));
}

void TunnelProtocol::Deliver(const Request& request, SshSession& session) {
  using Kind = machine::v1::TunnelRequest::KindCase;
  const machine::v1::TunnelRequest& input = request.request();
  if (input.kind_case() == Kind::kData) session.Write(input.data());
  if (input.kind_case() == Kind::kEof) session.SendEof();
}

TunnelProtocol::Response TunnelProtocol::Stdout(absl::string_view bytes) {
  Response response;
  response.set_data(bytes.data(), bytes.size());
  return response;
}

std::optional<TunnelProtocol::Response> TunnelProtocol::Eof() {
  Response response;
  response.set_eof(true);
  return response;
}

}  // namespace machine::provisioner
