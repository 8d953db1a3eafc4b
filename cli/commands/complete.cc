#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/create_flags.h"
#include "cli/commands/machines.h"
#include "cli/commands/program_table.h"
#include "machine/v1/drivers.grpc.pb.h"
#include "services/common/legacy/machine_config.h"

namespace machine::cli {
namespace {

using machine::v1::Drivers;

constexpr absl::Duration kTimeout = absl::Seconds(5);
// Tells the shell's script to complete names of files itself.
constexpr char kFiles[] = ":files";

// A word that could come next, and what it means.
struct Candidate {
  std::string value;
  std::string text;
};

const CommandInfo* FindCommand(const ProgramInfo& program, absl::string_view name) {
  for (const CommandInfo& command : program.commands) {
    if (command.name == name && !command.hidden) return &command;
  }
  return nullptr;
}

const Flag* FindFlag(const std::vector<Flag>& flags, absl::string_view word) {
  if (!absl::StartsWith(word, "-")) return nullptr;
  word.remove_prefix(absl::StartsWith(word, "--") ? 2 : 1);
  for (const Flag& flag : flags) {
    for (const std::string& name : flag.names) {
      if (name == word) return &flag;
    }
  }
  return nullptr;
}

// What can follow on a command line, from the table of commands and what the orchestrator says.
class Completer {
 public:
  explicit Completer(CommandContext& context)
      : context_(context), program_(ProgramTable(context.env)) {}

  /// `words` without the program's; the last is the one to complete.
  std::vector<Candidate> Complete(const std::vector<std::string>& words) {
    word_ = words.back();
    size_t i = 0;
    const Flag* open = SkipFlags(program_.flags, words, i);
    if (open != nullptr) return Values(*open, "");
    if (i + 1 >= words.size()) {
      return absl::StartsWith(word_, "-") ? Flags(program_.flags) : CommandNames();
    }
    const CommandInfo* command = FindCommand(program_, words[i]);
    if (command == nullptr) return {};
    return OfCommand(*command, {words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end()});
  }

 private:
  // Moves `i` to the first operand; the flag whose value is the last word, when that is so.
  static const Flag* SkipFlags(const std::vector<Flag>& flags,
                               const std::vector<std::string>& words, size_t& i) {
    for (; i + 1 < words.size() && absl::StartsWith(words[i], "-"); ++i) {
      const Flag* flag = FindFlag(flags, words[i]);
      if (flag == nullptr || flag->type == FlagType::kBool) continue;
      if (i + 2 == words.size()) return flag;
      ++i;
    }
    return nullptr;
  }

  std::vector<Candidate> OfCommand(const CommandInfo& command,
                                   const std::vector<std::string>& words) {
    const std::vector<Flag> flags = command.name == "create" ? CreateFlags(words) : command.flags;
    std::vector<std::string> operands;
    for (size_t i = 0; i + 1 < words.size(); ++i) {
      const Flag* open = SkipFlags(flags, words, i);
      if (open != nullptr) return Values(*open, "");
      if (i + 1 < words.size()) operands.push_back(words[i]);
    }
    if (absl::StartsWith(word_, "-") &&
        !(command.operands == Operands::kMachineAndWords && !operands.empty())) {
      const size_t equals = word_.find('=');
      if (equals == std::string::npos) return Flags(flags);
      const Flag* flag = FindFlag(flags, word_.substr(0, equals));
      return flag == nullptr ? std::vector<Candidate>()
                             : Values(*flag, word_.substr(0, equals + 1));
    }
    return OfOperand(command, operands);
  }

  std::vector<Candidate> OfOperand(const CommandInfo& command,
                                   const std::vector<std::string>& operands) {
    switch (command.operands) {
      case Operands::kMachine:
      case Operands::kMachineAndWords:
        return operands.empty() ? MachineNames("", {}) : std::vector<Candidate>{{kFiles, ""}};
      case Operands::kMachines:
        return MachineNames("", operands);
      case Operands::kMachinePaths: {
        std::vector<Candidate> candidates = MachineNames(":", {});
        candidates.push_back({kFiles, ""});
        return candidates;
      }
      case Operands::kCommand:
        return CommandNames();
      case Operands::kShell:
        return {{"bash", ""}, {"zsh", ""}, {"fish", ""}, {"powershell", ""}};
      case Operands::kNone:
        break;
    }
    return command.name == "man" ? std::vector<Candidate>{{kFiles, ""}} : std::vector<Candidate>();
  }

  std::vector<Candidate> CommandNames() const {
    std::vector<Candidate> candidates;
    for (const CommandInfo& command : program_.commands) {
      if (!command.hidden) candidates.push_back({command.name, command.summary});
    }
    return candidates;
  }

  static std::vector<Candidate> Flags(const std::vector<Flag>& flags) {
    std::vector<Candidate> candidates;
    for (const Flag& flag : flags) {
      for (const std::string& name : flag.names) {
        if (name.size() > 1) candidates.push_back({absl::StrCat("--", name), flag.usage});
      }
    }
    candidates.push_back({"--help", "show help"});
    return candidates;
  }

  std::vector<Candidate> Values(const Flag& flag, absl::string_view prefix) {
    std::vector<Candidate> candidates;
    const auto add = [&](absl::string_view value) {
      candidates.push_back({absl::StrCat(prefix, value), ""});
    };
    if (flag.names[0] == "driver") {
      for (const std::string& driver : DriverNames()) add(driver);
    } else if (flag.names[0] == "filter") {
      for (const char* key : {"driver=", "swarm=", "state=", "name=", "label="}) add(key);
    } else if (!flag.values.empty()) {
      for (const std::string& value : flag.values) add(value);
    } else {
      candidates.push_back({kFiles, ""});
    }
    return candidates;
  }

  std::vector<Candidate> MachineNames(absl::string_view suffix,
                                      const std::vector<std::string>& given) {
    std::vector<Candidate> candidates;
    const auto machines = ListMachines(context_, {"name", "driver"}, absl::Hours(24), kTimeout);
    if (!machines.ok()) return candidates;  // Who presses Tab wants no error.
    for (const machine::v1::Machine& machine : *machines) {
      std::string name(common::MachineId(machine.name()));
      if (std::find(given.begin(), given.end(), name) != given.end()) continue;
      candidates.push_back({absl::StrCat(name, suffix), machine.driver()});
    }
    return candidates;
  }

  std::vector<std::string> DriverNames() {
    std::vector<std::string> names;
    const auto drivers = context_.orchestrator.Call<Drivers>(
        &Drivers::Stub::ListDrivers, machine::v1::ListDriversRequest(), kTimeout);
    if (!drivers.ok()) return names;
    for (const machine::v1::DriverInfo& driver : drivers->drivers()) {
      names.push_back(driver.name());
    }
    return names;
  }

  std::vector<Flag> CreateFlags(const std::vector<std::string>& words) {
    std::vector<Flag> flags = CommonCreateFlags({});
    const absl::string_view names[] = {"driver", "d"};
    const std::string driver = PeekFlag(words, names).value_or(context_.env.Get("MACHINE_DRIVER"));
    if (driver.empty() || driver == word_) return flags;
    machine::v1::GetDriverRequest request;
    request.set_name(driver);
    const auto info =
        context_.orchestrator.Call<Drivers>(&Drivers::Stub::GetDriver, request, kTimeout);
    if (!info.ok()) return flags;
    const std::vector<Flag> own = DriverFlags(*info);
    flags.insert(flags.begin(), own.begin(), own.end());
    return flags;
  }

  CommandContext& context_;
  const ProgramInfo program_;
  std::string word_;
};

// What the completion scripts call.
class CompleteCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "complete",
            .summary = "Say what can follow on a command line",
            .description = "Arguments are -- and the words, the last of which is to be completed.",
            .flags = {},
            .hidden = true};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    std::vector<std::string> words = args.operands;
    if (words.empty()) words.emplace_back();
    std::string lines;
    for (const Candidate& candidate : Completer(context).Complete(words)) {
      if (candidate.value != kFiles && !absl::StartsWith(candidate.value, words.back())) continue;
      absl::StrAppend(&lines, candidate.value, candidate.text.empty() ? "" : "\t", candidate.text,
                      "\n");
    }
    context.console.Out(lines);
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeCompleteCommand() { return std::make_unique<CompleteCommand>(); }

}  // namespace machine::cli
