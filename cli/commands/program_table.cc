#include "cli/commands/program_table.h"

#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/program_version.h"

namespace machine::cli {
namespace {

constexpr char kHelpSummary[] = "Shows a list of commands or help for one command";

}  // namespace

std::string DefaultStoragePath(const Environment& env) {
  return absl::StrCat(env.Get("HOME"), "/.docker/machine");
}

std::vector<Flag> GlobalFlags(const Environment& env) {
  const auto flag = FlagType::kBool;
  const auto text = FlagType::kString;
  return {
      {{"debug", "D"}, flag, "Enable debug mode", "", {"MACHINE_DEBUG", "DEBUG"}},
      {{"storage-path", "s"},
       text,
       "Configures storage path",
       DefaultStoragePath(env),
       {"MACHINE_STORAGE_PATH"}},
      {{"host"},
       text,
       "Orchestrator to use instead of this user's own: HOST:PORT, unix:PATH or a name",
       "",
       {"MACHINE_HOST"}},
      {{"tls-ca-cert"}, text, "CA to verify remotes against", "", {"MACHINE_TLS_CA_CERT"}},
      {{"tls-ca-key"}, text, "Private key to generate certificates", "", {"MACHINE_TLS_CA_KEY"}},
      {{"tls-client-cert"}, text, "Client cert to use for TLS", "", {"MACHINE_TLS_CLIENT_CERT"}},
      {{"tls-client-key"},
       text,
       "Private key used in client TLS auth",
       "",
       {"MACHINE_TLS_CLIENT_KEY"}},
      {{"elapsed"},
       flag,
       "Begin each line of progress with INFO[SECONDS]",
       "",
       {"MACHINE_ELAPSED"}},
      {{"github-api-token"}, text, "Accepted and not used", "", {"MACHINE_GITHUB_API_TOKEN"}},
      {{"native-ssh"},
       flag,
       "Use the built-in SSH client, never the ssh in PATH",
       "",
       {"MACHINE_NATIVE_SSH"}},
      {{"bugsnag-api-token"},
       text,
       "Accepted and not used: crashes are reported to nobody",
       "",
       {"MACHINE_BUGSNAG_API_TOKEN"}},
  };
}

ProgramInfo ProgramTable(const Environment& env) {
  ProgramInfo info{.version = ProgramVersion(), .flags = GlobalFlags(env), .commands = {}};
  for (const auto& command : MakeCommands()) info.commands.push_back(command->info());
  info.commands.push_back({.name = "help",
                           .summary = kHelpSummary,
                           .description = "",
                           .flags = {},
                           .operands = Operands::kCommand,
                           .examples = {{"docker-machine help create", "flags and examples"}}});
  return info;
}

}  // namespace machine::cli
