#include "cli/commands/commands.h"

namespace machine::cli {

Commands MakeCommands() {
  Commands commands;
  commands.push_back(MakeActiveCommand());
  commands.push_back(MakeAuditCommand());
  commands.push_back(MakeCompleteCommand());
  commands.push_back(MakeCompletionCommand());
  commands.push_back(MakeConfigCommand());
  commands.push_back(MakeContextCommand());
  commands.push_back(MakeCreateCommand());
  commands.push_back(MakeCredentialCommand());
  commands.push_back(MakeDriverCommand());
  commands.push_back(MakeEnvCommand());
  commands.push_back(MakeEventsCommand());
  commands.push_back(MakeExportCommand());
  commands.push_back(MakeGcCommand());
  commands.push_back(MakeGrantCommand());
  commands.push_back(MakeImportCommand());
  commands.push_back(MakeInspectCommand());
  commands.push_back(MakeIpCommand());
  commands.push_back(MakeKillCommand());
  commands.push_back(MakeLoginCommand());
  commands.push_back(MakeLogsCommand());
  commands.push_back(MakeLsCommand());
  commands.push_back(MakeManCommand());
  commands.push_back(MakeMountCommand());
  commands.push_back(MakeOpsCommand());
  commands.push_back(MakeProvisionCommand());
  commands.push_back(MakeRegenerateCertsCommand());
  commands.push_back(MakeRestartCommand());
  commands.push_back(MakeRmCommand());
  commands.push_back(MakeScpCommand());
  commands.push_back(MakeServerCommand());
  commands.push_back(MakeShellInitCommand());
  commands.push_back(MakeSshCommand());
  commands.push_back(MakeSshDialCommand());
  commands.push_back(MakeSshHostKeyCommand());
  commands.push_back(MakeSshTunnelCommand());
  commands.push_back(MakeStartCommand());
  commands.push_back(MakeStatusCommand());
  commands.push_back(MakeStopCommand());
  commands.push_back(MakeTunnelCommand());
  commands.push_back(MakeUpgradeCommand());
  commands.push_back(MakeUrlCommand());
  commands.push_back(MakeUseCommand());
  commands.push_back(MakeUserCommand());
  commands.push_back(MakeVersionCommand());
  return commands;
}

}  // namespace machine::cli
