#ifndef SERVICES_ORCHESTRATOR_API_DRIVER_CERTIFICATES_SERVICE_H_
#define SERVICES_ORCHESTRATOR_API_DRIVER_CERTIFICATES_SERVICE_H_

#include "machine/v1/driver_certificates.grpc.pb.h"
#include "services/common/rpc/executor.h"
#include "services/orchestrator/certs/driver_authority.h"

namespace machine::orchestrator {

/// Transport of machine.v1.DriverCertificates.
class DriverCertificatesService final : public machine::v1::DriverCertificates::CallbackService {
 public:
  DriverCertificatesService(DriverAuthority& authority, common::Executor& executor)
      : authority_(authority), executor_(executor) {}

  grpc::ServerUnaryReactor* IssueDriverCertificate(
      grpc::CallbackServerContext* context,
      const machine::v1::IssueDriverCertificateRequest* request,
      machine::v1::IssueDriverCertificateResponse* response) override;

 private:
  DriverAuthority& authority_;
  common::Executor& executor_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_DRIVER_CERTIFICATES_SERVICE_H_
