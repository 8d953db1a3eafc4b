#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "cli/output/data_format.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

absl::StatusOr<std::string> AddressOf(CommandContext& context, const std::string& name) {
  DM_ASSIGN_OR_RETURN(
      const machine::v1::Machine machine,
      GetMachine(context, name, {.fields = {"state", "endpoint"}, .max_age = kMaxAge}));
  // A machine that is off may have kept its old address; one with a URL has its own.
  const bool off = machine.endpoint().docker_url().empty() &&
                   (machine.state() == machine::v1::MACHINE_STATE_STOPPED ||
                    machine.state() == machine::v1::MACHINE_STATE_SAVED);
  if (off || machine.endpoint().ip_addresses().empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("Error getting IP address: ", kHostNotRunning));
  }
  return machine.endpoint().ip_addresses(0);
}

class IpCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "ip",
            .summary = "Get the IP address of a machine",
            .description = "Argument(s) are one or more machine names.",
            .flags = {OutputFlag()},
            .operands = Operands::kMachines,
            .examples = {{"docker-machine ip dev", "one address"},
                         {"docker-machine ip dev web", "one a line, in this order"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> machines,
                        SomeMachines(context, args.operands));
    std::vector<absl::StatusOr<std::string>> addresses(machines.size());
    ForEachAtOnce(machines.size(),
                  [&](size_t i) { addresses[i] = AddressOf(context, machines[i]); });
    std::string lines;
    nlohmann::ordered_json data = nlohmann::ordered_json::array();
    std::vector<absl::Status> errors;
    for (size_t i = 0; i < machines.size(); ++i) {
      errors.push_back(addresses[i].status());
      if (!addresses[i].ok()) continue;
      absl::StrAppend(&lines, *addresses[i], "\n");
      data.push_back({{"name", machines[i]}, {"ip", *addresses[i]}});
    }
    context.console.Out(format.has_value() ? Serialize(*format, data) : lines);
    DM_RETURN_IF_ERROR(JoinErrors(errors));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeIpCommand() { return std::make_unique<IpCommand>(); }

}  // namespace machine::cli
