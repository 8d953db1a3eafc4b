#include "services/orchestrator/api/driver_certificates_service.h"

#include <string>
#include <vector>

#include "services/common/rpc/server_reactors.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {

grpc::ServerUnaryReactor* DriverCertificatesService::IssueDriverCertificate(
    grpc::CallbackServerContext* context, const machine::v1::IssueDriverCertificateRequest* request,
    machine::v1::IssueDriverCertificateResponse* response) {
  return common::RunUnary(
      executor_, *context, [this, request, response](common::CallScope&) -> absl::Status {
        const std::vector<std::string> hosts(request->hosts().begin(), request->hosts().end());
        DM_ASSIGN_OR_RETURN(const common::IssuedCert issued,
                            authority_.IssueDriver(request->request_pem(), hosts));
        response->set_cert_pem(issued.cert_pem);
        DM_ASSIGN_OR_RETURN(*response->mutable_ca_pem(), authority_.CaPem());
        response->mutable_expire_time()->set_seconds(absl::ToUnixSeconds(issued.not_after));
        return absl::OkStatus();
      });
}

}  // namespace machine::orchestrator
