// Runs whole command lines against a fake orchestrator. For tests.
#ifndef CLI_COMMANDS_PROGRAM_FIXTURE_H_
#define CLI_COMMANDS_PROGRAM_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/args/environment.h"
#include "cli/commands/interrupts.h"
#include "cli/commands/program.h"
#include "cli/connect/connector.h"
#include "cli/output/console.h"
#include "tests/fakes/orchestrator/fake_orchestrator.h"

namespace machine::cli {

/// A connector that believes in a broken connection.
class FakeConnector final : public Connector {
 public:
  FakeConnector(common::Channel channel, bool is_private)
      : channel_(std::move(channel)), is_private_(is_private) {}
  absl::StatusOr<common::Channel> Connect() override { return channel_; }
  absl::StatusOr<common::Channel> Reconnect(const absl::Status&, absl::Duration) override {
    return channel_;
  }
  bool is_private() const override { return is_private_; }

 private:
  common::Channel channel_;
  bool is_private_;
};

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() : env_({{"HOME", "/home/me"}, {"SHELL", "/bin/bash"}}) {
    env_.Set("MACHINE_STORAGE_PATH", storage_);
  }

  // Runs "docker-machine" with `words`; out() and err() are then only this run's.
  int RunWords(const std::vector<std::string>& words) {
    console_.Clear();
    std::vector<std::string> line = {"docker-machine"};
    line.insert(line.end(), words.begin(), words.end());
    return RunProgramLine({.console = console_,
                           .env = env_,
                           .interrupts = interrupts_,
                           .connect = [&](TargetOptions options) -> std::unique_ptr<Connector> {
                             target_ = std::move(options);
                             return std::make_unique<FakeConnector>(orchestrator_.channel(),
                                                                    is_private_);
                           }},
                          line);
  }
  // The same for words without blanks.
  int Run(absl::string_view words) {
    return RunWords(absl::StrSplit(words, ' ', absl::SkipEmpty()));
  }

  std::string out() const { return console_.out(); }
  std::string err() const { return console_.err(); }

  static machine::v1::Machine MachineOf(const std::string& id, const std::string& ip = "") {
    machine::v1::Machine machine;
    machine.set_name("machines/" + id);
    machine.set_driver("generic");
    machine.set_docker_version("20.10.24");
    machine.set_state(ip.empty() ? machine::v1::MACHINE_STATE_STOPPED
                                 : machine::v1::MACHINE_STATE_RUNNING);
    if (!ip.empty()) {
      machine.mutable_endpoint()->add_ip_addresses(ip);
      machine.mutable_endpoint()->set_docker_url(absl::StrCat("tcp://", ip, ":2376"));
      machine.mutable_endpoint()->set_ssh_host(ip);
    }
    return machine;
  }
  void Put(const std::string& id, const std::string& ip = "") {
    orchestrator_.PutMachine(MachineOf(id, ip));
  }

  const std::string storage_ = absl::StrCat(testing::TempDir(), "/storage");
  fakes::FakeOrchestrator orchestrator_;
  FakeConsole console_;
  FakeEnvironment env_;
  FakeInterrupts interrupts_;
  TargetOptions target_;
  bool is_private_ = true;
};

inline constexpr char kNopeDoesNotExist[] =
    "Docker machine \"nope\" does not exist. Use \"docker-machine ls\" to list machines. Use "
    "\"docker-machine create\" to add a new one.\n";

}  // namespace machine::cli

#endif  // CLI_COMMANDS_PROGRAM_FIXTURE_H_
