// Steps that are one call of the provisioner.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_PROVISION_STEPS_H_
#define SERVICES_ORCHESTRATOR_ENGINE_PROVISION_STEPS_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "services/orchestrator/drivers/registry.h"
#include "services/orchestrator/engine/verb.h"

namespace machine::orchestrator {

enum class ProvisionAction { kProvision, kUpgrade, kConfigureTls };

/// Runs `next` with the provisioner on the operation's strand, or ends the step with why not.
void WithProvisioner(
    const OperationRunPointer& run, StepDone done,
    absl::AnyInvocable<void(std::shared_ptr<ProvisionerConnection>, StepDone)> next);

/// Waits for ssh and pins the host key.
Step WaitForSshStep();

/// Installs, upgrades or secures the engine, with a server certificate that names every address of
/// the machine. `renew` issues a new certificate even where the present one would do.
Step ProvisionStep(absl::string_view message, ProvisionAction action, bool renew = false);

/// As kConfigureTls, but only where the set of addresses is not the one that was certified, or the
/// certificate is about to end.
Step CertifyNewAddressesStep();

/// Gives clients a new certificate, where the operation was asked to; the former stays good.
Step ClientCertsStep();

/// Asks the engine for its version.
Step CheckDockerStep();

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_PROVISION_STEPS_H_
