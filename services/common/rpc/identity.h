// The certificate of a process that stands alone, renewed by its authority while it runs.
#ifndef SERVICES_COMMON_RPC_IDENTITY_H_
#define SERVICES_COMMON_RPC_IDENTITY_H_

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "driver/v1/identity.grpc.pb.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/rpc/executor.h"
#include "services/common/rpc/server.h"

namespace machine::common {

/// The files of one server's certificate and key as they are replaced: a process that is killed in
/// between finds a pair that belongs together at its next start. Thread-safe. Blocks.
class IdentityFiles {
 public:
  explicit IdentityFiles(RpcServerTls tls) : tls_(std::move(tls)) {}

  /// Ends or undoes a replacement that was cut off. Before the files are first read.
  absl::Status Recover() const;

  /// A PKCS #10 request for a new key, which is kept until it is installed.
  /// FAILED_PRECONDITION when the files cannot be written.
  absl::StatusOr<std::string> MakeRequest();

  /// Puts `cert_pem` and the key of the last request in place, mode 0600. INVALID_ARGUMENT for what
  /// is no certificate; FAILED_PRECONDITION for one of another key or authority.
  absl::Status Install(absl::string_view cert_pem);

 private:
  // What is to take the certificate's place, once the key is there.
  std::string next_path() const { return tls_.cert_path + ".next"; }

  const RpcServerTls tls_;
  absl::Mutex mu_;
  SecretString key_ ABSL_GUARDED_BY(mu_);
};

/// Transport of driver.v1.Identity.
class IdentityService final : public ::driver::v1::Identity::CallbackService {
 public:
  /// `files` outlives it.
  explicit IdentityService(IdentityFiles& files) : files_(files) {}

  grpc::ServerUnaryReactor* MakeCertificateRequest(
      grpc::CallbackServerContext* context,
      const ::driver::v1::MakeCertificateRequestRequest* request,
      ::driver::v1::MakeCertificateRequestResponse* response) override;
  grpc::ServerUnaryReactor* InstallCertificate(
      grpc::CallbackServerContext* context, const ::driver::v1::InstallCertificateRequest* request,
      google::protobuf::Empty* response) override;

 private:
  IdentityFiles& files_;
  Executor executor_{1};
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_IDENTITY_H_
