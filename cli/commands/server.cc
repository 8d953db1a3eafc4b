#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/connect/contexts.h"
#include "cli/output/data_format.h"
#include "cli/output/table.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// Stands for the user's own orchestrator; no server can have this name.
constexpr char kPrivate[] = "private";

absl::Status CheckName(absl::string_view name) {
  const bool good = !name.empty() && name.size() <= 64 && absl::ascii_isalnum(name[0]) &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
                    });
  if (good && name != kPrivate) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "Error: a server cannot be called \"", name,
      "\": use letters, digits and . _ -, at most 64; \"private\" is this user's own"));
}

absl::Status Add(CommandContext& context, const std::string& name, const std::string& address) {
  DM_RETURN_IF_ERROR(CheckName(name));
  DM_RETURN_IF_ERROR(CheckAddress(address));
  DM_ASSIGN_OR_RETURN(Contexts contexts, ReadContexts(context.storage_path));
  if (contexts.Find(name) != nullptr) {
    return absl::AlreadyExistsError(
        absl::StrCat("there is a server \"", name,
                     "\" already: remove it with docker-machine server rm ", name));
  }
  const std::string folder = CredentialFolder(context.storage_path, name);
  contexts.all.push_back({.name = name,
                          .address = address,
                          .ca_file = folder + "/ca.pem",
                          .cert_file = folder + "/cert.pem",
                          .key_file = folder + "/key.pem"});
  DM_RETURN_IF_ERROR(WriteContexts(context.storage_path, contexts));
  context.Say(absl::StrCat("Added the server \"", name, "\".\n"));
  if (contexts.all.back().uses_tls()) {
    context.Say(absl::StrCat("Join it with: docker-machine login --server ", name, " TOKEN\n"));
  }
  context.Say(
      absl::StrCat("To use it for all commands, run: docker-machine server use ", name, "\n"));
  return absl::OkStatus();
}

absl::Status Use(CommandContext& context, const std::string& name) {
  DM_ASSIGN_OR_RETURN(Contexts contexts, ReadContexts(context.storage_path));
  if (name != kPrivate) {
    DM_RETURN_IF_ERROR(NamedContext(context.storage_path, name).status());
  }
  contexts.current = name == kPrivate ? "" : name;
  DM_RETURN_IF_ERROR(WriteContexts(context.storage_path, contexts));
  context.Say(name == kPrivate ? std::string("Commands now use this user's own orchestrator.\n")
                               : absl::StrCat("Commands now use the server \"", name, "\".\n"));
  return absl::OkStatus();
}

absl::Status Remove(CommandContext& context, const std::string& name) {
  DM_RETURN_IF_ERROR(CheckName(name));
  DM_RETURN_IF_ERROR(NamedContext(context.storage_path, name).status());
  DM_ASSIGN_OR_RETURN(Contexts contexts, ReadContexts(context.storage_path));
  std::erase_if(contexts.all, [&](const Context& other) { return other.name == name; });
  const bool was_current = contexts.current == name;
  if (was_current) contexts.current.clear();
  DM_RETURN_IF_ERROR(WriteContexts(context.storage_path, contexts));
  std::error_code error;
  std::filesystem::remove_all(CredentialFolder(context.storage_path, name), error);
  if (error) {
    return absl::ErrnoToStatus(error.value(),
                               absl::StrCat("removing the credentials of \"", name, "\""));
  }
  context.Say(absl::StrCat("Removed the server \"", name, "\".\n"));
  if (was_current) context.Say("Commands now use this user's own orchestrator.\n");
  return absl::OkStatus();
}

std::string StateOf(const Context& context) {
  if (!context.uses_tls()) return "-";
  return std::filesystem::exists(context.cert_file) ? "yes" : "no";
}

absl::Status List(CommandContext& context, std::optional<DataFormat> format) {
  DM_ASSIGN_OR_RETURN(const Contexts contexts, ReadContexts(context.storage_path));
  if (format.has_value()) {
    auto data = nlohmann::ordered_json::array();
    for (const Context& entry : contexts.all) {
      data.push_back({{"name", entry.name},
                      {"address", entry.address},
                      {"current", entry.name == contexts.current},
                      {"joined", StateOf(entry)}});
    }
    context.console.Out(Serialize(*format, data));
    return absl::OkStatus();
  }
  std::string text = "NAME\tCURRENT\tADDRESS\tJOINED\n";
  const auto mark = [&](absl::string_view name) { return contexts.current == name ? "*" : "-"; };
  absl::StrAppend(&text, kPrivate, "\t", mark(""), "\t-\t-\n");
  for (const Context& entry : contexts.all) {
    absl::StrAppend(&text, entry.name, "\t", mark(entry.name), "\t", entry.address, "\t",
                    StateOf(entry), "\n");
  }
  context.console.Out(AlignColumns(text));
  return absl::OkStatus();
}

class ServerCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "server",
            .summary = "Manage the shared orchestrators that are known by name",
            .description = "Arguments are add NAME --address HOST:PORT, use NAME, ls, or rm NAME.",
            .flags = {{.names = {"address"},
                       .usage = "With add: where the orchestrator listens, HOST:PORT"},
                      OutputFlag(),
                      QuietFlag()},
            .details =
                "A name stands for an address and the certificate that this user has for it. "
                "It can be given to\n--host and MACHINE_HOST, or be used for all commands with "
                "server use. \"private\" is this user's own\norchestrator.",
            .examples = {
                {"docker-machine server add team --address machines.example.org:7676", "know it"},
                {"docker-machine login --server team TOKEN", "join it"},
                {"docker-machine server use team", "all commands use it from now on"},
                {"docker-machine --host team ls", "only this one"},
                {"docker-machine server use private", "back to one's own"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    const std::vector<std::string>& words = args.operands;
    if (words.size() == 1 && words[0] == "ls") {
      DM_RETURN_IF_ERROR(List(context, format));
      return kExitOk;
    }
    if (words.size() != 2) {
      return ErrorWithHelp(context, *this, "Error: Expected add, use, ls or rm, and a name");
    }
    if (words[0] == "add") {
      if (!args.IsSet("address")) {
        return absl::InvalidArgumentError("Error: server add needs --address HOST:PORT");
      }
      DM_RETURN_IF_ERROR(Add(context, words[1], args.String("address")));
    } else if (words[0] == "use") {
      DM_RETURN_IF_ERROR(Use(context, words[1]));
    } else if (words[0] == "rm") {
      DM_RETURN_IF_ERROR(Remove(context, words[1]));
    } else {
      return ErrorWithHelp(context, *this,
                           absl::StrCat("Error: server does not know \"", words[0], "\""));
    }
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeServerCommand() { return std::make_unique<ServerCommand>(); }

}  // namespace machine::cli
