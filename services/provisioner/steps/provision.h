// What the provisioner does to a host, from the first look to an engine that answers over TLS.
#ifndef SERVICES_PROVISIONER_STEPS_PROVISION_H_
#define SERVICES_PROVISIONER_STEPS_PROVISION_H_

#include "absl/status/statusor.h"
#include "provisioner/v1/provisioner.pb.h"
#include "services/common/rpc/call_scope.h"
#include "services/provisioner/host/remote_host.h"
#include "services/provisioner/steps/engine_check.h"

namespace machine::provisioner {

enum class Purpose {
  kProvision,     ///< Install where missing, configure, secure, check.
  kUpgrade,       ///< The same, after an upgrade of the engine's package.
  kConfigureTls,  ///< Only the certificates.
};

/// One look: one command. FAILED_PRECONDITION UNSUPPORTED_HOST, and as DetectFacts().
absl::StatusOr<::provisioner::v1::HostInfo> Detect(common::CallScope& call, RemoteHost& host);

/// Looks, changes what differs, and checks. Changes nothing, and restarts nothing, where nothing
/// differs. A run that was cut off at any point is completed by the next. At most three commands,
/// and one more to find the cause of an engine that does not answer. Blocks.
///
/// Errors, beside those of Detect(): INVALID_ARGUMENT naming the field, before the host is asked;
/// FAILED_PRECONDITION HOST_COMMAND_FAILED with the step and the last lines of its output;
/// FAILED_PRECONDITION ENGINE_UNREACHABLE with the cause and the last lines of the engine's log.
absl::StatusOr<::provisioner::v1::HostInfo> Provision(
    common::CallScope& call, RemoteHost& host, const EngineProbe& probe,
    const ::provisioner::v1::ProvisionRequest& request, Purpose purpose);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_PROVISION_H_
