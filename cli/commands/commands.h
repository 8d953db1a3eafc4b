// All commands. A new one is a file with its Make function, a line here and one in commands.cc.
#ifndef CLI_COMMANDS_COMMANDS_H_
#define CLI_COMMANDS_COMMANDS_H_

#include <memory>
#include <vector>

#include "cli/commands/command.h"

namespace machine::cli {

using Commands = std::vector<std::unique_ptr<Command>>;

/// In the order of the program's help.
Commands MakeCommands();

std::unique_ptr<Command> MakeActiveCommand();
std::unique_ptr<Command> MakeAuditCommand();
std::unique_ptr<Command> MakeCompleteCommand();
std::unique_ptr<Command> MakeCompletionCommand();
std::unique_ptr<Command> MakeConfigCommand();
std::unique_ptr<Command> MakeContextCommand();
std::unique_ptr<Command> MakeCreateCommand();
std::unique_ptr<Command> MakeCredentialCommand();
std::unique_ptr<Command> MakeDriverCommand();
std::unique_ptr<Command> MakeEnvCommand();
std::unique_ptr<Command> MakeEventsCommand();
std::unique_ptr<Command> MakeExportCommand();
std::unique_ptr<Command> MakeGcCommand();
std::unique_ptr<Command> MakeGrantCommand();
std::unique_ptr<Command> MakeImportCommand();
std::unique_ptr<Command> MakeInspectCommand();
std::unique_ptr<Command> MakeIpCommand();
std::unique_ptr<Command> MakeKillCommand();
std::unique_ptr<Command> MakeLoginCommand();
std::unique_ptr<Command> MakeLogsCommand();
std::unique_ptr<Command> MakeLsCommand();
std::unique_ptr<Command> MakeManCommand();
std::unique_ptr<Command> MakeMountCommand();
std::unique_ptr<Command> MakeOpsCommand();
std::unique_ptr<Command> MakeProvisionCommand();
std::unique_ptr<Command> MakeRegenerateCertsCommand();
std::unique_ptr<Command> MakeRestartCommand();
std::unique_ptr<Command> MakeRmCommand();
std::unique_ptr<Command> MakeScpCommand();
std::unique_ptr<Command> MakeServerCommand();
std::unique_ptr<Command> MakeShellInitCommand();
std::unique_ptr<Command> MakeSshCommand();
std::unique_ptr<Command> MakeSshDialCommand();
std::unique_ptr<Command> MakeSshHostKeyCommand();
std::unique_ptr<Command> MakeSshTunnelCommand();
std::unique_ptr<Command> MakeStartCommand();
std::unique_ptr<Command> MakeStatusCommand();
std::unique_ptr<Command> MakeStopCommand();
std::unique_ptr<Command> MakeTunnelCommand();
std::unique_ptr<Command> MakeUpgradeCommand();
std::unique_ptr<Command> MakeUrlCommand();
std::unique_ptr<Command> MakeUseCommand();
std::unique_ptr<Command> MakeUserCommand();
std::unique_ptr<Command> MakeVersionCommand();

}  // namespace machine::cli

#endif  // CLI_COMMANDS_COMMANDS_H_
