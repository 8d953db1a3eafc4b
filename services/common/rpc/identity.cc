#include "services/common/rpc/identity.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/rpc/server_reactors.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr mode_t kPrivate = 0600;

absl::Status CheckWritable(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  if (access(folder.c_str(), W_OK) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the certificate cannot be replaced: ", folder, ": ", ErrnoText(errno)));
}

absl::Status Rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("renaming ", from));
}

}  // namespace

absl::Status IdentityFiles::Recover() const {
  const absl::StatusOr<std::string> next = ReadFile(next_path());
  if (absl::IsNotFound(next.status())) return absl::OkStatus();
  DM_RETURN_IF_ERROR(next.status());
  DM_ASSIGN_OR_RETURN(const std::string key, ReadFile(tls_.key_path));
  if (KeyMatchesCert(key, *next).ok()) return Rename(next_path(), tls_.cert_path);
  unlink(next_path().c_str());
  return absl::OkStatus();
}

absl::StatusOr<std::string> IdentityFiles::MakeRequest() {
  absl::MutexLock lock(&mu_);
  DM_RETURN_IF_ERROR(CheckWritable(tls_.cert_path));
  DM_RETURN_IF_ERROR(CheckWritable(tls_.key_path));
  DM_ASSIGN_OR_RETURN(CertRequest request, MakeCertRequest());
  key_ = std::move(request.key_pem);
  return std::move(request.request_pem);
}

absl::Status IdentityFiles::Install(absl::string_view cert_pem) {
  absl::MutexLock lock(&mu_);
  DM_RETURN_IF_ERROR(CertInfo::Parse(cert_pem).status());
  if (key_.empty()) {
    return absl::FailedPreconditionError("no certificate was requested by this process");
  }
  DM_RETURN_IF_ERROR(KeyMatchesCert(key_.view(), cert_pem));
  DM_ASSIGN_OR_RETURN(const std::string ca_pem, ReadFile(tls_.client_ca_path));
  DM_RETURN_IF_ERROR(VerifySignedBy(cert_pem, ca_pem));
  DM_RETURN_IF_ERROR(WriteFileAtomically(next_path(), cert_pem, kPrivate));
  DM_RETURN_IF_ERROR(WriteFileAtomically(tls_.key_path, key_.view(), kPrivate));
  return Rename(next_path(), tls_.cert_path);
}

grpc::ServerUnaryReactor* IdentityService::MakeCertificateRequest(
    grpc::CallbackServerContext* context, const ::driver::v1::MakeCertificateRequestRequest*,
    ::driver::v1::MakeCertificateRequestResponse* response) {
  return RunUnary(executor_, *context, [this, response](CallScope&) -> absl::Status {
    DM_ASSIGN_OR_RETURN(*response->mutable_request_pem(), files_.MakeRequest());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* IdentityService::InstallCertificate(
    grpc::CallbackServerContext* context, const ::driver::v1::InstallCertificateRequest* request,
    google::protobuf::Empty*) {
  return RunUnary(executor_, *context,
                  [this, request](CallScope&) { return files_.Install(request->cert_pem()); });
}

}  // namespace machine::common
