#include "drivers/none/none_driver.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/host_port.h"
#include "services/common/status/status.h"

namespace machine::driver::none {
namespace {

constexpr char kUrl[] = "url";
constexpr char kScheme[] = "tcp://";
constexpr absl::Duration kProbeTimeout = absl::Seconds(1);

absl::StatusOr<TcpAddress> ParseUrl(absl::string_view url) {
  absl::string_view address = url;
  if (!absl::ConsumePrefix(&address, kScheme)) {
    return BadOption(kUrl, absl::StrCat("\"", url, "\" is not of the form tcp://HOST:PORT"));
  }
  absl::ConsumeSuffix(&address, "/");
  const absl::StatusOr<TcpAddress> parsed = ParseHostPort(address);
  if (!parsed.ok()) return BadOption(kUrl, parsed.status().message());
  return *parsed;
}

Observation Observe(const TcpAddress& address, MachineState state) {
  Observation observation;
  observation.set_state(state);
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  endpoint.add_ip_addresses(address.host);
  endpoint.set_docker_url(absl::StrCat(kScheme, HostPort(address.host, address.port)));
  endpoint.set_docker_plaintext(true);
  return observation;
}

absl::Status CannotBe(absl::string_view done) {
  return common::Error(absl::StatusCode::kUnimplemented,
                       machine::v1::ERROR_REASON_CAPABILITY_MISSING,
                       absl::StrCat("hosts without a driver cannot be ", done));
}

}  // namespace

DriverInfo NoneDriver::info() const {
  DriverInfo info;
  info.name = "none";
  info.capabilities = {::driver::v1::CAPABILITY_NO_SSH};
  info.max_concurrent_calls = 256;
  return info;
}

Flags NoneDriver::flags() const {
  return Flags().String(kUrl).Usage("URL of host when no driver is selected").Required();
}

absl::Status NoneDriver::Init(const DriverEnvironment&) {
  prober_ = std::make_unique<TcpProber>();
  return absl::OkStatus();
}

absl::Status NoneDriver::Validate(Options& options) const {
  DM_ASSIGN_OR_RETURN(const TcpAddress address, ParseUrl(options.GetString(kUrl)));
  options.SetString(kUrl, absl::StrCat(kScheme, HostPort(address.host, address.port)));
  return absl::OkStatus();
}

absl::StatusOr<Observation> NoneDriver::Create(DriverCall&, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const TcpAddress address, ParseUrl(machine.options.GetString(kUrl)));
  // Not known before the first Inspect: connecting here would delay a create by a silent host.
  return Observe(address, machine::v1::MACHINE_STATE_UNSPECIFIED);
}

absl::StatusOr<Observation> NoneDriver::Start(DriverCall&, const MachineSpec&) {
  return CannotBe("started");
}

absl::StatusOr<Observation> NoneDriver::Stop(DriverCall&, const MachineSpec&,
                                             std::optional<absl::Duration>) {
  return CannotBe("stopped");
}

absl::StatusOr<Observation> NoneDriver::Kill(DriverCall&, const MachineSpec&) {
  return CannotBe("killed");
}

absl::StatusOr<Observation> NoneDriver::Restart(DriverCall&, const MachineSpec&) {
  return CannotBe("restarted");
}

absl::Status NoneDriver::Remove(DriverCall&, const MachineSpec&) { return absl::OkStatus(); }

absl::StatusOr<Observation> NoneDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const std::vector<Observation> observations,
                      BatchInspect(call, absl::MakeConstSpan(&machine, 1)));
  return observations.front();
}

absl::StatusOr<std::vector<Observation>> NoneDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  std::vector<TcpAddress> addresses;
  for (const MachineSpec& machine : machines) {
    // The URL was checked at create; what cannot be read now reaches nobody, and is STOPPED.
    addresses.push_back(ParseUrl(machine.options.GetString(kUrl)).value_or(TcpAddress()));
  }
  const std::vector<bool> open = prober_->Probe(call, addresses, kProbeTimeout);
  DM_RETURN_IF_ERROR(call.Check());
  std::vector<Observation> observations;
  for (size_t i = 0; i < machines.size(); ++i) {
    observations.push_back(Observe(addresses[i], open[i] ? machine::v1::MACHINE_STATE_RUNNING
                                                         : machine::v1::MACHINE_STATE_STOPPED));
  }
  return observations;
}

absl::StatusOr<std::string> NoneDriver::UpgradeState(DriverCall&, const MachineSpec&) {
  // There is none: an imported machine, too, is all in its options.
  return "";
}

}  // namespace machine::driver::none
