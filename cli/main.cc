// docker-machine: creates and manages machines running Docker, as a client of an orchestrator.
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/args/environment.h"
#include "cli/commands/interrupts.h"
#include "cli/commands/program.h"
#include "cli/connect/target.h"
#include "cli/output/console.h"

int main(int argc, char** argv) {
  using namespace machine::cli;
  ProcessConsole console;
  ProcessEnvironment env;
  SignalInterrupts interrupts;
  const ProgramParts parts{.console = console,
                           .env = env,
                           .interrupts = interrupts,
                           .connect = [&](TargetOptions options) -> std::unique_ptr<Connector> {
                             return std::make_unique<TargetConnector>(std::move(options), env,
                                                                      console);
                           }};
  const int status = RunProgramLine(parts, std::vector<std::string>(argv, argv + argc));
  // Nothing is buffered, and taking gRPC down in order costs more than many a command.
  _exit(status);
}
