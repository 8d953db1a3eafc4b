#include "cli/commands/machines.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/errors.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machine;
using machine::v1::Machines;
using machine::v1::MachineState;

constexpr int kPageSize = 10'000;
constexpr size_t kMaxThreads = 64;
// How much longer than the provider the whole call may take.
constexpr absl::Duration kObserveMargin = absl::Seconds(20);

void SetDuration(absl::Duration from, google::protobuf::Duration& to) {
  to.set_seconds(absl::ToInt64Seconds(from));
  to.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(from % absl::Seconds(1))));
}

absl::Status NotFound(absl::string_view machine) {
  return UserError(common::Error(absl::StatusCode::kNotFound,
                                 machine::v1::ERROR_REASON_MACHINE_NOT_FOUND, "no such machine"),
                   machine);
}

// The port in "tcp://0.0.0.0:3376".
absl::string_view PortOf(absl::string_view url) {
  const size_t colon = url.rfind(':');
  return colon == absl::string_view::npos ? "" : url.substr(colon + 1);
}

}  // namespace

bool IsMachineName(absl::string_view name) {
  const auto alphanumeric = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c));
  };
  return !name.empty() && name.size() <= kMaxMachineName && alphanumeric(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return alphanumeric(c) || c == '-' || c == '.'; });
}

std::string ResourceName(absl::string_view machine) { return absl::StrCat("machines/", machine); }

absl::string_view StateWord(MachineState state) {
  switch (state) {
    case MachineState::MACHINE_STATE_RUNNING:
      return "Running";
    case MachineState::MACHINE_STATE_PAUSED:
      return "Paused";
    case MachineState::MACHINE_STATE_SAVED:
      return "Saved";
    case MachineState::MACHINE_STATE_STOPPED:
      return "Stopped";
    case MachineState::MACHINE_STATE_STOPPING:
      return "Stopping";
    case MachineState::MACHINE_STATE_STARTING:
      return "Starting";
    case MachineState::MACHINE_STATE_ERROR:
      return "Error";
    case MachineState::MACHINE_STATE_TIMEOUT:
      return "Timeout";
    case MachineState::MACHINE_STATE_CREATING:
      return "Creating";
    case MachineState::MACHINE_STATE_REMOVING:
      return "Removing";
    case MachineState::MACHINE_STATE_NOT_FOUND:
      return "NotFound";
    default:
      return "";
  }
}

bool IsOff(MachineState state) {
  return state == MachineState::MACHINE_STATE_STOPPED ||
         state == MachineState::MACHINE_STATE_SAVED || state == MachineState::MACHINE_STATE_PAUSED;
}

absl::StatusOr<Machine> GetMachine(CommandContext& context, absl::string_view machine,
                                   const ReadOptions& options) {
  if (!IsMachineName(machine)) return NotFound(machine);
  machine::v1::GetMachineRequest request;
  request.set_name(ResourceName(machine));
  for (const std::string& field : options.fields) request.mutable_read_mask()->add_paths(field);
  if (options.live) request.mutable_observe()->set_live(true);
  if (options.max_age < absl::InfiniteDuration()) {
    SetDuration(options.max_age, *request.mutable_observe()->mutable_max_age());
  }
  absl::StatusOr<Machine> answer =
      context.orchestrator.Call<Machines>(&Machines::Stub::GetMachine, request);
  if (!answer.ok()) return UserError(answer.status(), machine);
  return answer;
}

absl::StatusOr<std::vector<Machine>> ListMachines(CommandContext& context,
                                                  const std::vector<std::string>& fields,
                                                  absl::Duration max_age, absl::Duration timeout) {
  if (timeout < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid value \"", absl::ToInt64Seconds(timeout),
                     "\" for --timeout: a number of seconds, 0 or more"));
  }
  machine::v1::ListMachinesRequest request;
  request.set_page_size(kPageSize);
  for (const std::string& field : fields) request.mutable_read_mask()->add_paths(field);
  SetDuration(max_age, *request.mutable_observe()->mutable_max_age());
  SetDuration(timeout, *request.mutable_observe()->mutable_per_machine_timeout());
  std::vector<Machine> machines;
  do {
    DM_ASSIGN_OR_RETURN(machine::v1::ListMachinesResponse page,
                        context.orchestrator.Call<Machines>(&Machines::Stub::ListMachines, request,
                                                            timeout + kObserveMargin));
    machines.reserve(machines.size() + static_cast<size_t>(page.machines_size()));
    for (Machine& machine : *page.mutable_machines()) machines.push_back(std::move(machine));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return machines;
}

absl::StatusOr<std::string> DefaultMachine(CommandContext& context) {
  constexpr char kDefault[] = "default";
  if (const std::string docker_host = context.env.Get("DOCKER_HOST"); !docker_host.empty()) {
    DM_ASSIGN_OR_RETURN(const std::vector<Machine> machines,
                        ListMachines(context, {"name", "state", "endpoint", "swarm"}, kMaxAge,
                                     Orchestrator::kCallTimeout));
    for (const Machine& machine : machines) {
      if (IsActive(machine, docker_host)) return std::string(common::MachineId(machine.name()));
    }
  }
  const absl::StatusOr<Machine> machine = GetMachine(context, kDefault, {.fields = {"name"}});
  if (machine.ok()) return kDefault;
  if (absl::IsNotFound(machine.status())) return absl::InvalidArgumentError(kNoDefaultMachine);
  return machine.status();
}

absl::StatusOr<std::string> OneMachine(CommandContext& context,
                                       const std::vector<std::string>& operands) {
  if (operands.size() > 1) return absl::InvalidArgumentError(kExpectedOneMachine);
  if (operands.size() == 1) return operands[0];
  return DefaultMachine(context);
}

absl::StatusOr<std::vector<std::string>> SomeMachines(CommandContext& context,
                                                      const std::vector<std::string>& operands) {
  if (!operands.empty()) return operands;
  DM_ASSIGN_OR_RETURN(std::string machine, DefaultMachine(context));
  return std::vector<std::string>{std::move(machine)};
}

std::string SwarmMasterUrl(const Machine& machine) {
  // Managers of the engine's own swarm answer where the engine does.
  if (machine.swarm().engine_mode()) return "";
  if (!machine.swarm().master() || machine.endpoint().docker_url().empty()) return "";
  const absl::string_view engine = machine.endpoint().docker_url();
  const absl::string_view port = PortOf(machine.swarm().host());
  return absl::StrCat(engine.substr(0, engine.rfind(':')), ":", port.empty() ? "3376" : port);
}

bool IsActive(const Machine& machine, absl::string_view docker_host) {
  if (docker_host.empty() || machine.state() != MachineState::MACHINE_STATE_RUNNING) return false;
  return machine.endpoint().docker_url() == docker_host || SwarmMasterUrl(machine) == docker_host;
}

void ForEachAtOnce(size_t count, const std::function<void(size_t)>& run) {
  if (count == 1) return run(0);
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::min(count, kMaxThreads); ++i) {
    threads.emplace_back([&] {
      for (size_t index = next++; index < count; index = next++) run(index);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace machine::cli
