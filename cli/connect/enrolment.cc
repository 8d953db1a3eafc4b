#include "cli/connect/enrolment.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "cli/connect/server_chain.h"
#include "machine/v1/access.grpc.pb.h"
#include "services/common/crypto/certificates.h"
#include "services/common/crypto/join_token.h"
#include "services/common/file/file.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

constexpr absl::Duration kJoinTimeout = absl::Seconds(30);
constexpr absl::Duration kRenewTimeout = absl::Seconds(5);

// The key first: a certificate without one would be taken for a login that is complete.
absl::Status WriteCredentials(const Context& context, absl::string_view ca_pem,
                              absl::string_view cert_pem, absl::string_view key_pem) {
  const absl::string_view folder =
      absl::string_view(context.key_file).substr(0, context.key_file.rfind('/'));
  DM_RETURN_IF_ERROR(common::EnsureDir(folder.substr(0, folder.rfind('/')), 0700));
  DM_RETURN_IF_ERROR(common::EnsurePrivateDir(folder));
  DM_RETURN_IF_ERROR(common::WriteFileAtomically(context.key_file, key_pem, 0600));
  DM_RETURN_IF_ERROR(common::WriteFileAtomically(context.ca_file, ca_pem, 0600));
  return common::WriteFileAtomically(context.cert_file, cert_pem, 0600);
}

std::string LoginHint(const Context& context) {
  return absl::StrCat(
      "ask an admin for a join token (docker-machine user token USER), then run docker-machine "
      "login ",
      context.name.empty() ? "" : absl::StrCat("--server ", context.name, " "), "TOKEN");
}

}  // namespace

absl::Status JoinOrchestrator(const Context& context, absl::string_view token_text) {
  DM_ASSIGN_OR_RETURN(const common::JoinToken token, common::ParseJoinToken(token_text));
  if (!context.uses_tls()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the server \"", context.name, "\" is reached without certificates; there is no login"));
  }
  const absl::string_view address = absl::StripPrefix(context.address, "tcp://");
  DM_ASSIGN_OR_RETURN(const std::string ca_pem, FetchAuthority(address, token.ca_fingerprint));
  DM_ASSIGN_OR_RETURN(const common::CertRequest request, common::MakeCertRequest());
  const common::Channel channel = common::Channel::Tls(address, {.ca_pem = ca_pem});
  machine::v1::Access::Stub stub(channel.grpc());
  grpc::ClientContext call;
  channel.Prepare(call, kJoinTimeout);
  machine::v1::JoinRequest join;
  join.set_token(std::string(token_text));
  join.set_certificate_request_pem(request.request_pem);
  machine::v1::ClientCertificate answer;
  DM_RETURN_IF_ERROR(common::FromGrpcStatus(stub.Join(&call, join, &answer)));
  return WriteCredentials(context, answer.ca_pem(), answer.certificate_pem(),
                          request.key_pem.view());
}

absl::Status AdoptCredentials(const Context& context, absl::string_view ca_file,
                              absl::string_view cert_file, absl::string_view key_file) {
  DM_ASSIGN_OR_RETURN(const std::string ca, common::ReadFile(ca_file));
  DM_ASSIGN_OR_RETURN(const std::string cert, common::ReadFile(cert_file));
  DM_ASSIGN_OR_RETURN(const std::string key, common::ReadFile(key_file));
  DM_RETURN_IF_ERROR(common::Annotate(common::CertInfo::Parse(ca).status(), ca_file));
  DM_RETURN_IF_ERROR(common::Annotate(common::KeyMatchesCert(key, cert),
                                      absl::StrCat(cert_file, " and ", key_file)));
  return WriteCredentials(context, ca, cert, key);
}

absl::StatusOr<bool> KeepCertificate(const Context& context, const common::Channel& channel) {
  DM_ASSIGN_OR_RETURN(const std::string cert, common::ReadFile(context.cert_file));
  DM_ASSIGN_OR_RETURN(const common::CertInfo info,
                      common::Annotate(common::CertInfo::Parse(cert), context.cert_file));
  const absl::Duration left = info.not_after - absl::Now();
  if (left <= absl::ZeroDuration()) {
    return common::Error(
        absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_CLIENT_CREDENTIALS,
        absl::StrCat("the certificate in ", context.cert_file, " ended at ",
                     absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", info.not_after, absl::UTCTimeZone()),
                     ": ", LoginHint(context)));
  }
  if (left >= (info.not_after - info.not_before) / 3) return false;
  DM_ASSIGN_OR_RETURN(const std::string key, common::ReadFile(context.key_file));
  // The same key: certificate and key are two files, and one of them can be replaced in one step.
  DM_ASSIGN_OR_RETURN(const common::CertRequest request, common::MakeCertRequest(key));
  machine::v1::Access::Stub stub(channel.grpc());
  grpc::ClientContext call;
  channel.Prepare(call, kRenewTimeout);
  machine::v1::RenewCertificateRequest renew;
  renew.set_certificate_request_pem(request.request_pem);
  machine::v1::ClientCertificate answer;
  if (!stub.RenewCertificate(&call, renew, &answer).ok()) return false;
  DM_RETURN_IF_ERROR(
      common::WriteFileAtomically(context.cert_file, answer.certificate_pem(), 0600));
  return true;
}

}  // namespace machine::cli
