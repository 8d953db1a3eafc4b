#include "tests/golden/toy_driver.h"

#include <pwd.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::toy {
namespace {

constexpr char kHost[] = "127.0.0.1";
constexpr char kRunning[] = "Running";
constexpr char kStopped[] = "Stopped";

std::string InstanceFile(const MachineSpec& machine) {
  return absl::StrCat(machine.options.GetString("toy-folder"), "/", machine.uid);
}

// Writes what a provider would have learnt from the call, for tests to see.
absl::Status TellToken(const MachineSpec& machine) {
  return common::WriteFileAtomically(machine.options.GetString("toy-folder") + "/token",
                                     machine.options.GetSecret("toy-token"), 0600);
}

Observation Observe(const MachineSpec& machine, MachineState state) {
  Observation observation;
  observation.set_state(state);
  if (state != machine::v1::MACHINE_STATE_RUNNING) return observation;
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  endpoint.add_ip_addresses(kHost);
  endpoint.set_docker_url(machine.options.GetString("toy-url"));
  endpoint.set_docker_plaintext(true);
  endpoint.set_ssh_host(kHost);
  endpoint.set_ssh_port(static_cast<int32_t>(machine.options.GetInt("toy-ssh-port")));
  const passwd* user = getpwuid(geteuid());
  endpoint.set_ssh_user(user == nullptr ? "root" : user->pw_name);
  endpoint.set_ssh_host_key_sha256(machine.options.GetString("toy-ssh-host-key"));
  return observation;
}

absl::StatusOr<Observation> Become(const MachineSpec& machine, absl::string_view state) {
  DM_RETURN_IF_ERROR(TellToken(machine));
  const std::string file = InstanceFile(machine);
  if (access(file.c_str(), F_OK) != 0) return InstanceGone("the toy is gone");
  DM_RETURN_IF_ERROR(common::WriteFileAtomically(file, state, 0600));
  return Observe(machine, state == kRunning ? machine::v1::MACHINE_STATE_RUNNING
                                            : machine::v1::MACHINE_STATE_STOPPED);
}

}  // namespace

DriverInfo ToyDriver::info() const {
  DriverInfo info;
  info.name = "toy";
  info.capabilities = {::driver::v1::CAPABILITY_POWER, ::driver::v1::CAPABILITY_KILL,
                       ::driver::v1::CAPABILITY_RESTART};
  return info;
}

Flags ToyDriver::flags() const {
  return Flags()
      .String("toy-url")
      .Usage("URL of the engine")
      .Env("TOY_URL")
      .Required()
      .String("toy-folder")
      .Usage("Folder of the instances")
      .Env("TOY_FOLDER")
      .Required()
      .Int("toy-ssh-port")
      .Usage("Port of the SSH server")
      .Env("TOY_SSH_PORT")
      .Default(22)
      .String("toy-ssh-host-key")
      .Usage("SHA-256 of the SSH server's key")
      .Env("TOY_SSH_HOST_KEY")
      .String("toy-fail")
      .Usage("Where to fail")
      .OneOf({"never", "check", "create"})
      .Default("never")
      .String("toy-token")
      .Usage("Something secret")
      .Env("TOY_TOKEN")
      .Secret();
}

absl::Status ToyDriver::PreCreateCheck(DriverCall&, const MachineSpec& machine) {
  if (machine.options.GetString("toy-fail") != "check") return absl::OkStatus();
  return absl::FailedPreconditionError("the toy box is closed");
}

absl::StatusOr<Observation> ToyDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(call.Check());
  DM_RETURN_IF_ERROR(TellToken(machine));
  if (machine.options.GetString("toy-fail") == "create") {
    return absl::FailedPreconditionError("the toy broke");
  }
  call.Progress("Winding up the toy...", /*percent=*/50);
  // A login for everybody who has a machine: they are all this host.
  const std::string keys = machine.options.GetString("toy-folder") + "/authorized_keys";
  const std::string known = common::ReadFile(keys).value_or("");
  DM_RETURN_IF_ERROR(
      common::WriteFileAtomically(keys, absl::StrCat(known, machine.ssh_public_key, "\n"), 0600));
  DM_RETURN_IF_ERROR(common::WriteFileAtomically(InstanceFile(machine), kRunning, 0600));
  return Observe(machine, machine::v1::MACHINE_STATE_RUNNING);
}

absl::StatusOr<Observation> ToyDriver::Start(DriverCall&, const MachineSpec& machine) {
  return Become(machine, kRunning);
}

absl::StatusOr<Observation> ToyDriver::Stop(DriverCall&, const MachineSpec& machine,
                                            std::optional<absl::Duration>) {
  return Become(machine, kStopped);
}

absl::StatusOr<Observation> ToyDriver::Kill(DriverCall&, const MachineSpec& machine) {
  return Become(machine, kStopped);
}

absl::StatusOr<Observation> ToyDriver::Restart(DriverCall&, const MachineSpec& machine) {
  return Become(machine, kRunning);
}

absl::Status ToyDriver::Remove(DriverCall&, const MachineSpec& machine) {
  const std::string file = InstanceFile(machine);
  if (unlink(file.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("removing ", file));
}

absl::StatusOr<Observation> ToyDriver::Inspect(DriverCall&, const MachineSpec& machine) {
  const absl::StatusOr<std::string> state = common::ReadFile(InstanceFile(machine));
  if (!state.ok()) return Observe(machine, machine::v1::MACHINE_STATE_NOT_FOUND);
  return Observe(machine, *state == kRunning ? machine::v1::MACHINE_STATE_RUNNING
                                             : machine::v1::MACHINE_STATE_STOPPED);
}

}  // namespace machine::driver::toy
