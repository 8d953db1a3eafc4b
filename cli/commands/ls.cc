#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "cli/commands/commands.h"
#include "cli/commands/ls_filter.h"
#include "cli/commands/machine_data.h"
#include "cli/commands/machines.h"
#include "cli/commands/stray_machines.h"
#include "cli/output/data_format.h"
#include "cli/output/go_template.h"
#include "cli/output/table.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machine;

constexpr char kMachineDiscovery[] = "machine://";
constexpr char kHeader[] = "NAME\tACTIVE\tDRIVER\tSTATE\tURL\tSWARM\tDOCKER\tERRORS\n";

// The row of a machine.
struct Row {
  const Machine* machine = nullptr;
  absl::string_view name;
  absl::string_view active;
  absl::string_view driver;
  absl::string_view state;
  absl::string_view url;
  std::string swarm;
  std::string docker;
  std::string error;
};

bool IsSwarmMaster(const Machine& machine) {
  const machine::v1::SwarmOptions& swarm = machine.swarm();
  return swarm.master() || (swarm.engine_mode() && swarm.discovery().empty());
}

// Which machines are in one swarm, and the name of its master.
class Swarms {
 public:
  // `machines` outlives it.
  explicit Swarms(const std::vector<Machine>& machines) {
    for (const Machine& machine : machines) {
      if (machine.swarm().engine_mode()) {
        joined_[common::MachineId(machine.name())] = machine.swarm().discovery();
      }
    }
    for (const Machine& machine : machines) {
      if (!IsSwarmMaster(machine)) continue;
      const std::string name(common::MachineId(machine.name()));
      const bool begun = machine.swarm().engine_mode() && machine.swarm().discovery().empty();
      if (begun || !machine.swarm().engine_mode()) {
        masters_[KeyOf(machine)] = name;
      } else {
        masters_.try_emplace(KeyOf(machine), name);  // A manager that has joined.
      }
    }
  }

  // Empty where the machine is in no swarm, or in one without a master that is known.
  std::string MasterOf(const Machine& machine) const {
    if (!machine.has_swarm()) return "";
    const std::string key = KeyOf(machine);
    const auto it = masters_.find(key);
    return key.empty() || it == masters_.end() ? "" : it->second;
  }

 private:
  // What the members have in common: how they find each other, or of the engine's own swarm the
  // machine that has begun it, which each has joined by one that was there before.
  std::string KeyOf(const Machine& machine) const {
    if (!machine.swarm().engine_mode()) return machine.swarm().discovery();
    absl::string_view name = common::MachineId(machine.name());
    absl::string_view joined = machine.swarm().discovery();
    // Machines that are named anew could name each other in a ring.
    for (size_t steps = 0;
         steps <= joined_.size() && absl::ConsumePrefix(&joined, kMachineDiscovery); ++steps) {
      name = joined;
      const auto next = joined_.find(name);
      joined = next == joined_.end() ? "" : next->second;
    }
    return absl::StrCat(kMachineDiscovery, name);
  }

  // Machine with the engine's own swarm -> its discovery.
  std::map<absl::string_view, absl::string_view> joined_;
  std::map<std::string, std::string> masters_;
};

Row RowOf(const Machine& machine, const std::string& docker_host, const std::string& master) {
  Row row;
  row.machine = &machine;
  row.name = common::MachineId(machine.name());
  row.active = !IsActive(machine, docker_host)                  ? "-"
               : machine.endpoint().docker_url() == docker_host ? "*"
                                                                : "* (swarm)";
  // A record that cannot be read has none.
  row.driver = machine.driver().empty() ? "not found" : absl::string_view(machine.driver());
  row.state = StateWord(machine.state());
  row.url = machine.endpoint().docker_url();
  if (!master.empty()) {
    row.swarm = IsSwarmMaster(machine) ? absl::StrCat(master, " (master)") : master;
  }
  // What ran before it was switched off is no answer of its engine.
  row.docker =
      machine.state() == machine::v1::MACHINE_STATE_RUNNING && !machine.docker_version().empty()
          ? absl::StrCat("v", machine.docker_version())
          : "Unknown";
  // One line a row, whatever the message holds.
  row.error = absl::StrReplaceAll(machine.last_error().message(), {{"\n", " "}, {"\t", " "}});
  return row;
}

// `swarm_options`: with those of the machine, too, which cost more than all others.
nlohmann::json Fields(const Row& row, bool swarm_options) {
  const auto text = [](absl::string_view view) { return std::string(view); };
  nlohmann::json fields = {{"Name", text(row.name)},
                           {"Active", text(row.active)},
                           {"ActiveHost", row.active == "*"},
                           {"ActiveSwarm", row.active == "* (swarm)"},
                           {"DriverName", text(row.driver)},
                           {"State", text(row.state)},
                           {"URL", text(row.url)},
                           {"Swarm", row.swarm},
                           {"Error", row.error},
                           {"DockerVersion", row.docker},
                           {"ResponseTime", "0s"}};
  if (swarm_options) {
    fields["SwarmOptions"] = nlohmann::json(
        common::LegacyConfig(*row.machine, /*storage_path=*/"")["HostOptions"]["SwarmOptions"]);
  }
  return fields;
}

nlohmann::json HeaderFields() {
  return {{"Name", "NAME"},
          {"Active", "ACTIVE"},
          {"ActiveHost", "ACTIVE_HOST"},
          {"ActiveSwarm", "ACTIVE_SWARM"},
          {"DriverName", "DRIVER"},
          {"State", "STATE"},
          {"URL", "URL"},
          {"SwarmOptions", "SWARM_OPTIONS"},
          {"Swarm", "SWARM"},
          {"Error", "ERRORS"},
          {"DockerVersion", "DOCKER"},
          {"ResponseTime", "RESPONSE"}};
}

absl::StatusOr<std::string> FormatRows(const std::vector<Row>& rows, absl::string_view format) {
  const bool table = absl::ConsumePrefix(&format, "table");
  const std::string text =
      absl::StrReplaceAll(absl::StripAsciiWhitespace(format), {{"\\t", "\t"}, {"\\n", "\n"}});
  DM_ASSIGN_OR_RETURN(const GoTemplate parsed,
                      common::Annotate(GoTemplate::Parse(text), "template parsing error"));
  std::string lines;
  if (table) {
    DM_ASSIGN_OR_RETURN(const std::string header,
                        common::Annotate(parsed.ExecuteOnStruct(HeaderFields()), "--format"));
    absl::StrAppend(&lines, header, "\n");
  }
  const bool swarm_options = absl::StrContains(text, "SwarmOptions");
  for (const Row& row : rows) {
    DM_ASSIGN_OR_RETURN(
        const std::string line,
        common::Annotate(parsed.ExecuteOnStruct(Fields(row, swarm_options)), "--format"));
    absl::StrAppend(&lines, line, "\n");
  }
  return table ? AlignColumns(lines) : lines;
}

std::string Table(const std::vector<Row>& rows) {
  std::string text = kHeader;
  for (const Row& row : rows) {
    absl::StrAppend(&text, row.name, "\t", row.active, "\t", row.driver, "\t");
    absl::StrAppend(&text, row.state, "\t", row.url, "\t", row.swarm, "\t", row.docker, "\t");
    absl::StrAppend(&text, row.error, "\n");
  }
  return AlignColumns(text);
}

// `-f` was the filter in the spec's text and is the format in later editions: `key=value` without
// braces can only be a filter.
bool LooksLikeFilter(absl::string_view format) {
  return absl::StrContains(format, '=') && !absl::StrContains(format, "{{");
}

class LsCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {
        .name = "ls",
        .summary = "List machines",
        .description = "",
        .flags = {{.names = {"quiet", "q"}, .type = FlagType::kBool, .usage = "Enable quiet mode"},
                  {.names = {"filter"},
                   .type = FlagType::kList,
                   .usage = "Filter output based on conditions provided"},
                  {.names = {"timeout", "t"},
                   .type = FlagType::kInt,
                   .usage = "Timeout in seconds, default to 10s",
                   .default_value = "10"},
                  {.names = {"max-age"},
                   .usage = "How old what is shown may be, as 30s or 5m; 0 asks the providers now",
                   .default_value = "1m"},
                  {.names = {"format", "f"}, .usage = "Pretty-print machines using a Go template"},
                  OutputFlag()},
        .examples = {
            {"docker-machine ls --filter driver=docker --filter state=Running",
             "keys: driver, swarm, state, name (a pattern), label"},
            {"docker-machine ls -q --filter name=^web", "names only"},
            {"docker-machine ls -f '{{.Name}}: {{.URL}}'", "a line of one's own"},
            {"docker-machine ls -f 'table {{.Name}}\\t{{.State}}'", "a table of one's own"},
            {"docker-machine ls --max-age 0", "the states as the providers tell them now"},
            {"docker-machine ls -o json", "for programs"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> output, DataFormatOf(args));
    std::vector<std::string> conditions = args.List("filter");
    std::string format = args.String("format");
    if (LooksLikeFilter(format)) {
      for (const std::string& condition : args.List("format")) conditions.push_back(condition);
      format.clear();
    }
    DM_ASSIGN_OR_RETURN(const LsFilter filter, LsFilter::Parse(conditions));
    const bool quiet = args.Bool("quiet");
    absl::Duration max_age;
    if (!absl::ParseDuration(args.String("max-age"), &max_age) || max_age < absl::ZeroDuration()) {
      return absl::InvalidArgumentError(
          absl::StrCat("invalid value \"", args.String("max-age"),
                       "\" for --max-age: for example 30s or 5m, or 0 to ask the providers now"));
    }
    DM_ASSIGN_OR_RETURN(
        const std::vector<Machine> machines,
        ListMachines(context, FieldsFor(quiet, !conditions.empty(), output.has_value()), max_age,
                     absl::Seconds(args.Int("timeout"))));
    const Swarms swarms(machines);
    const std::string docker_host = context.env.Get("DOCKER_HOST");
    std::vector<Row> rows;
    rows.reserve(machines.size());
    nlohmann::ordered_json data = nlohmann::ordered_json::array();
    for (const Machine& machine : machines) {
      const std::string master = swarms.MasterOf(machine);
      if (!filter.Matches(machine, master)) continue;
      rows.push_back(RowOf(machine, docker_host, master));
      if (output.has_value()) {
        data.push_back(MachineData(machine, IsActive(machine, docker_host), master));
      }
    }
    std::string text;
    std::string hint;
    if (output.has_value()) {
      text = Serialize(*output, data);
    } else if (quiet) {
      for (const Row& row : rows) absl::StrAppend(&text, row.name, "\n");
    } else if (!format.empty()) {
      DM_ASSIGN_OR_RETURN(text, FormatRows(rows, format));
    } else {
      text = Table(rows);
      if (context.orchestrator.is_private()) hint = HintOf(context, machines);
    }
    context.console.Out(text);
    if (!hint.empty()) context.console.Err(hint);
    return kExitOk;
  }

 private:
  // In the table for people only: scripts read the others.
  static std::string HintOf(const CommandContext& context, const std::vector<Machine>& machines) {
    std::vector<std::string> names;
    names.reserve(machines.size());
    for (const Machine& machine : machines) names.emplace_back(common::MachineId(machine.name()));
    return StrayHint(context.storage_path, StrayMachines(context.storage_path, names));
  }

  // No more than is shown: a list of names costs little however many there are.
  static std::vector<std::string> FieldsFor(bool quiet, bool filtered, bool all) {
    std::vector<std::string> fields = {"name"};
    if (quiet && !filtered && !all) return fields;
    for (const char* field :
         {"driver", "state", "endpoint", "swarm", "docker_version", "last_error"}) {
      fields.push_back(field);
    }
    if (filtered || all) fields.insert(fields.end(), {"engine", "labels"});
    if (all) fields.insert(fields.end(), {"auth", "os_id", "create_time"});
    return fields;
  }
};

}  // namespace

std::unique_ptr<Command> MakeLsCommand() { return std::make_unique<LsCommand>(); }

}  // namespace machine::cli
