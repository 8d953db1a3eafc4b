// machine-driver-conformance: tries every rule of the driver contract on a driver that is served
// with --listen, in whatever language it is written.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "drivers/sdk/conformance/conformance.h"

namespace {

namespace conformance = machine::driver::conformance;
using machine::common::Channel;

struct Arguments {
  std::string address;
  std::vector<std::string> flags;
  std::vector<std::string> different_flags;
  std::string cookie_file;
  std::string ssh_key;
  std::string ssh_public_key;
  conformance::Options options;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

absl::StatusOr<Channel> Connect(const Arguments& arguments) {
  if (!absl::StartsWith(arguments.address, "unix:")) {
    return Channel::InsecureLoopback(arguments.address);
  }
  std::string cookie = ReadFile(arguments.cookie_file);
  absl::StripAsciiWhitespace(&cookie);
  return Channel::Local(arguments.address, cookie);
}

// The exit status when there is nothing to run.
std::optional<int> Parse(int argc, char** argv, Arguments& arguments) {
  CLI::App app("Tries every rule of the driver contract on a running driver.",
               "machine-driver-conformance");
  app.add_option("ADDRESS", arguments.address, "unix:/PATH or 127.0.0.1:PORT")->required();
  app.add_option("--flag", arguments.flags, "Option of create, as name=value; may be repeated");
  app.add_option("--different-flag", arguments.different_flags,
                 "Options of a machine that differs from the first; may be repeated");
  app.add_option("--cookie-file", arguments.cookie_file, "File with the driver's cookie")
      ->check(CLI::ExistingFile);
  app.add_option("--ssh-key", arguments.ssh_key, "Private ssh key for the machine")
      ->check(CLI::ExistingFile);
  app.add_option("--ssh-public-key", arguments.ssh_public_key, "Public ssh key for the machine")
      ->check(CLI::ExistingFile);
  app.add_flag("--existing-host", arguments.options.adopts_existing_hosts,
               "Machines are there before Create and after Remove");
  app.add_flag("--state-unknown-after-create", arguments.options.state_unknown_after_create,
               "Create cannot say whether the machine runs");
  app.add_flag("--skip-restart", arguments.options.skip_restart, "Do not try Restart");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return std::nullopt;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 2;
}

int RunAll(Arguments arguments) {
  const absl::StatusOr<Channel> channel = Connect(arguments);
  if (!channel.ok()) return Fail(channel.status());
  auto options = conformance::ParseOptions(*channel, arguments.flags);
  if (!options.ok()) return Fail(options.status());
  auto different = conformance::ParseOptions(*channel, arguments.different_flags);
  if (!different.ok()) return Fail(different.status());
  arguments.options.options = *std::move(options);
  arguments.options.different_options = *std::move(different);
  if (!arguments.ssh_key.empty()) arguments.options.ssh_private_key = ReadFile(arguments.ssh_key);
  if (!arguments.ssh_public_key.empty()) {
    arguments.options.ssh_public_key = ReadFile(arguments.ssh_public_key);
  }
  int failed = 0;
  for (const conformance::Result& result :
       conformance::RunConformance(*channel, arguments.options)) {
    const char* verdict = !result.skipped.empty() ? "skip" : result.status.ok() ? "ok  " : "FAIL";
    const std::string why =
        result.status.ok() ? result.skipped : std::string(result.status.message());
    std::printf("%s %s%s%s\n", verdict, result.rule.c_str(), why.empty() ? "" : ": ", why.c_str());
    if (!result.status.ok()) ++failed;
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (const auto status = Parse(argc, argv, arguments)) return *status;
  return RunAll(std::move(arguments));
}
