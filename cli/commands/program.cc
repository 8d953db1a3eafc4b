#include "cli/commands/program.h"

#include <unistd.h>

#include <climits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cli/args/flags.h"
#include "cli/args/help.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/program_table.h"
#include "cli/commands/program_version.h"
#include "cli/commands/stray_machines.h"
#include "cli/connect/orchestrator.h"
#include "google/protobuf/stubs/common.h"

namespace machine::cli {
namespace {

// Relative to the folder the command was given in: the orchestrator has another.
std::string Absolute(const std::string& path) {
  if (!path.empty() && path[0] == '/') return path;
  char folder[PATH_MAX];
  if (getcwd(folder, sizeof folder) == nullptr) return path;
  return absl::StrCat(folder, "/", path);
}

std::vector<std::string> FlagsForOthers(const ParsedArgs& globals,
                                        const std::string& storage_path) {
  std::vector<std::string> flags = {absl::StrCat("--storage-path=", storage_path)};
  if (const std::string host = globals.String("host"); !host.empty()) {
    flags.push_back(absl::StrCat("--host=", host));
  }
  for (const char* name : {"tls-ca-cert", "tls-client-cert", "tls-client-key"}) {
    const std::string file = globals.String(name);
    if (!file.empty()) flags.push_back(absl::StrCat("--", name, "=", Absolute(file)));
  }
  return flags;
}

Command* Find(const Commands& commands, absl::string_view name) {
  for (const auto& command : commands) {
    if (command->info().name == name) return command.get();
  }
  return nullptr;
}

int UnknownCommand(Console& console, absl::string_view name) {
  console.Err(absl::StrCat("docker-machine: '", name,
                           "' is not a docker-machine command. See 'docker-machine --help'.\n"));
  return kExitError;
}

int RunHelp(const ProgramParts& parts, const std::vector<std::string>& names) {
  if (names.empty() || names[0] == "-h" || names[0] == "--help") {
    parts.console.Out(ProgramHelp(ProgramTable(parts.env)));
    return kExitOk;
  }
  // From the table, because help itself is no object.
  for (const CommandInfo& info : ProgramTable(parts.env).commands) {
    if (info.name != names[0]) continue;
    parts.console.Out(CommandHelp(info));
    return kExitOk;
  }
  return UnknownCommand(parts.console, names[0]);
}

int RunCommand(const ProgramParts& parts, Command& command, const ParsedArgs& globals,
               const std::vector<std::string>& command_line, const std::vector<std::string>& args) {
  // An empty path, as of a variable of a script that is not set, is no path.
  const std::string given_path = globals.String("storage-path");
  const std::string storage_path =
      Absolute(given_path.empty() ? DefaultStoragePath(parts.env) : given_path);
  const std::unique_ptr<Connector> connector =
      parts.connect({.storage_path = storage_path,
                     .host = globals.String("host"),
                     .ca_file = globals.String("tls-ca-cert"),
                     .cert_file = globals.String("tls-client-cert"),
                     .key_file = globals.String("tls-client-key")});
  Orchestrator orchestrator(*connector);
  CommandContext context{.console = parts.console,
                         .env = parts.env,
                         .orchestrator = orchestrator,
                         .interrupts = parts.interrupts,
                         .storage_path = storage_path,
                         .debug = globals.Bool("debug"),
                         .native_ssh = globals.Bool("native-ssh"),
                         .global_flags = FlagsForOthers(globals, storage_path),
                         .elapsed = globals.Bool("elapsed"),
                         .command_line = command_line};
  const absl::StatusOr<int> exit = command.RunRaw(context, args);
  if (exit.ok()) return *exit;
  if (!exit.status().message().empty()) {
    parts.console.Err(absl::StrCat(exit.status().message(), "\n"));
    if (orchestrator.is_private()) {
      parts.console.Err(StrayHintFor(storage_path, exit.status().message(), args));
    }
  }
  return ExitCodeOf(exit.status());
}

// Files here and commands there may be any bytes; everything else goes to the orchestrator in
// messages, whose text is UTF-8.
absl::Status CheckText(absl::string_view command, const std::vector<std::string>& args) {
  for (const absl::string_view takes_bytes : {"ssh", "scp", "mount"}) {
    if (command == takes_bytes) return absl::OkStatus();
  }
  for (const std::string& arg : args) {
    if (google::protobuf::internal::IsStructurallyValidUTF8(arg)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("Error: \"", absl::CHexEscape(arg), "\" is not text in UTF-8"));
  }
  return absl::OkStatus();
}

}  // namespace

int RunProgramLine(const ProgramParts& parts, const std::vector<std::string>& command_line) {
  const std::vector<Flag> flags = GlobalFlags(parts.env);
  std::vector<Flag> with_version = flags;
  with_version.push_back({.names = {"version", "v"}, .type = FlagType::kBool});
  const auto args = absl::MakeConstSpan(command_line).subspan(command_line.empty() ? 0 : 1);
  const Commands commands = MakeCommands();
  const absl::StatusOr<ParsedArgs> globals =
      ParseArgs(with_version, args, parts.env, {.stop_at_operand = true});
  if (!globals.ok()) {
    parts.console.Out(absl::StrCat("Incorrect Usage.\n\n", ProgramHelp(ProgramTable(parts.env))));
    parts.console.Err(absl::StrCat(globals.status().message(), "\n"));
    return kExitError;
  }
  if (globals->Bool("version")) {
    parts.console.Out(absl::StrCat("docker-machine version ", ProgramVersion(), "\n"));
    return kExitOk;
  }
  const std::vector<std::string>& words = globals->operands;
  if (globals->help || words.empty()) {
    parts.console.Out(ProgramHelp(ProgramTable(parts.env)));
    return kExitOk;
  }
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (words[0] == "help" || words[0] == "h") return RunHelp(parts, rest);
  Command* const command = Find(commands, words[0]);
  if (command == nullptr) return UnknownCommand(parts.console, words[0]);
  if (const absl::Status text = CheckText(words[0], rest); !text.ok()) {
    parts.console.Err(absl::StrCat(text.message(), "\n"));
    return kExitError;
  }
  int exit = RunCommand(parts, *command, *globals, command_line, rest);
  if (exit == kExitOk && !parts.console.ok()) {
    parts.console.Err("Error: standard output does not take what is written\n");
    exit = kExitError;
  }
  return exit;
}

}  // namespace machine::cli
