#include "drivers/generic/generic_driver.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "drivers/generic/state.pb.h"
#include "drivers/sdk/host_port.h"
#include "services/common/status/status.h"

namespace machine::driver::generic {
namespace {

constexpr char kIpAddress[] = "generic-ip-address";
constexpr char kSshUser[] = "generic-ssh-user";
constexpr char kSshKey[] = "generic-ssh-key";
constexpr char kSshPort[] = "generic-ssh-port";
constexpr char kEnginePort[] = "generic-engine-port";
constexpr absl::Duration kProbeTimeout = absl::Seconds(2);

Observation Observe(const MachineSpec& machine, MachineState state) {
  const std::string& host = machine.options.GetString(kIpAddress);
  Observation observation;
  observation.set_state(state);
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  endpoint.add_ip_addresses(host);
  endpoint.set_ssh_host(host);
  endpoint.set_ssh_port(static_cast<int>(machine.options.GetInt(kSshPort)));
  endpoint.set_ssh_user(machine.options.GetString(kSshUser));
  if (state == machine::v1::MACHINE_STATE_RUNNING) {
    const int port = static_cast<int>(machine.options.GetInt(kEnginePort));
    endpoint.set_docker_url(absl::StrCat("tcp://", HostPort(host, port)));
  }
  return observation;
}

// What a login name may be on any Unix; refused early because it ends up in a command line.
bool IsUserName(absl::string_view user) {
  return !user.empty() && user.front() != '-' &&
         user.find_first_of(" \t\n:/@'\"") == absl::string_view::npos;
}

}  // namespace

DriverInfo GenericDriver::info() const {
  DriverInfo info;
  info.name = "generic";
  info.capabilities = {::driver::v1::CAPABILITY_RESTART};
  info.max_concurrent_calls = 256;
  return info;
}

Flags GenericDriver::flags() const {
  return Flags()
      .Int(kEnginePort)
      .Usage("Docker engine port")
      .Env("GENERIC_ENGINE_PORT")
      .Default(2376)
      .Range(1, 65535)
      .String(kIpAddress)
      .Usage("IP Address of machine")
      .Env("GENERIC_IP_ADDRESS")
      .Required()
      .String(kSshKey)
      .Usage("SSH private key path (if not provided, default SSH key will be used)")
      .Env("GENERIC_SSH_KEY")
      .SshPrivateKey()
      .Int(kSshPort)
      .Usage("SSH port")
      .Env("GENERIC_SSH_PORT")
      .Default(22)
      .Range(1, 65535)
      .String(kSshUser)
      .Usage("SSH user")
      .Env("GENERIC_SSH_USER")
      .Default("root");
}

absl::Status GenericDriver::Init(const DriverEnvironment&) {
  prober_ = std::make_unique<TcpProber>();
  return absl::OkStatus();
}

absl::Status GenericDriver::Validate(Options& options) const {
  const absl::Status host = CheckHost(options.GetString(kIpAddress));
  if (!host.ok()) return BadOption(kIpAddress, host.message());
  const std::string& user = options.GetString(kSshUser);
  if (!IsUserName(user)) {
    return BadOption(kSshUser, absl::StrCat("\"", user, "\" is not a login name"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Observation> GenericDriver::Create(DriverCall& call, const MachineSpec& machine) {
  if (machine.options.Has(kSshKey)) {
    call.Info("Importing SSH key...");
  } else if (machine.ssh_private_key.empty()) {
    call.Info("No SSH key specified. Assuming an existing key at the default location.");
  }
  // Whether it truly runs shows when the orchestrator waits for its ssh.
  return Observe(machine, machine::v1::MACHINE_STATE_RUNNING);
}

absl::StatusOr<Observation> GenericDriver::Restart(DriverCall& call, const MachineSpec& machine) {
  RebootRequest request;
  request.target.host = machine.options.GetString(kIpAddress);
  request.target.port = static_cast<int>(machine.options.GetInt(kSshPort));
  request.target.user = machine.options.GetString(kSshUser);
  request.target.private_key = machine.ssh_private_key;
  request.target.agent_socket = machine.ssh_agent_socket;
  request.target.host_key_sha256 = machine.ssh_host_key_sha256;
  request.target.key_label = machine.options.GetString(kSshKey);
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  // Only an earlier attempt of this operation counts: the next restart is a reboot of its own.
  if (state.reboot_operation() == call.operation()) request.asked_in_boot = state.boot_id();
  request.remember = [&](const std::string& boot_id) {
    state.set_reboot_operation(call.operation());
    state.set_boot_id(boot_id);
    call.Checkpoint(state);
  };
  DM_RETURN_IF_ERROR(rebooter_->Reboot(call, request));
  return Observe(machine, machine::v1::MACHINE_STATE_RUNNING);
}

absl::Status GenericDriver::Remove(DriverCall&, const MachineSpec&) { return absl::OkStatus(); }

absl::StatusOr<Observation> GenericDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const std::vector<Observation> observations,
                      BatchInspect(call, absl::MakeConstSpan(&machine, 1)));
  return observations.front();
}

absl::StatusOr<std::vector<Observation>> GenericDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  std::vector<TcpAddress> addresses;
  for (const MachineSpec& machine : machines) {
    addresses.push_back({machine.options.GetString(kIpAddress),
                         static_cast<int>(machine.options.GetInt(kSshPort))});
  }
  const std::vector<bool> open = prober_->Probe(call, addresses, kProbeTimeout);
  DM_RETURN_IF_ERROR(call.Check());
  std::vector<Observation> observations;
  for (size_t i = 0; i < machines.size(); ++i) {
    observations.push_back(Observe(machines[i], open[i] ? machine::v1::MACHINE_STATE_RUNNING
                                                        : machine::v1::MACHINE_STATE_STOPPED));
  }
  return observations;
}

absl::StatusOr<std::string> GenericDriver::UpgradeState(DriverCall&, const MachineSpec&) {
  // There is none: an imported machine, too, is all in its options.
  return "";
}

}  // namespace machine::driver::generic
