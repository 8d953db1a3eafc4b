// What differs between Exec and Tunnel, for SessionRelay.
#ifndef SERVICES_PROVISIONER_SERVICE_SESSION_PROTOCOLS_H_
#define SERVICES_PROVISIONER_SERVICE_SESSION_PROTOCOLS_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "machine/v1/sessions.pb.h"
#include "provisioner/v1/provisioner.pb.h"
#include "services/common/ssh/ssh.h"

namespace machine::provisioner {

/// Provisioner.Exec.
struct ExecProtocol {
  using Request = ::provisioner::v1::ExecRequest;
  using Response = machine::v1::ExecResponse;

  static absl::Status CheckStart(const Request& request);
  static const ::provisioner::v1::SshTarget& Target(const Request& start) {
    return start.start().target();
  }
  static absl::StatusOr<std::shared_ptr<common::SshSession>> Open(
      common::SshConnection& connection, const Request& start, common::SessionCallbacks callbacks);

  /// Bytes that on_written will tell of.
  static size_t InputBytes(const Request& request) { return request.request().stdin().size(); }
  static void Deliver(const Request& request, common::SshSession& session);

  static Response Stdout(absl::string_view bytes);
  static Response Stderr(absl::string_view bytes);
  /// What the client is told when the host sends no more, and at the end; nullopt for nothing.
  static std::optional<Response> Eof() { return std::nullopt; }
  static std::optional<Response> Exit(int code, absl::string_view signal);
};

/// Provisioner.Tunnel.
struct TunnelProtocol {
  using Request = ::provisioner::v1::TunnelRequest;
  using Response = machine::v1::TunnelResponse;

  static absl::Status CheckStart(const Request& request);
  static const ::provisioner::v1::SshTarget& Target(const Request& start) {
    return start.start().target();
  }
  static absl::StatusOr<std::shared_ptr<common::SshSession>> Open(
      common::SshConnection& connection, const Request& start, common::SessionCallbacks callbacks);

  static size_t InputBytes(const Request& request) { return request.request().data().size(); }
  static void Deliver(const Request& request, common::SshSession& session);

  static Response Stdout(absl::string_view bytes);
  static Response Stderr(absl::string_view bytes) { return Stdout(bytes); }
  static std::optional<Response> Eof();
  static std::optional<Response> Exit(int, absl::string_view) { return std::nullopt; }
};

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_SERVICE_SESSION_PROTOCOLS_H_
