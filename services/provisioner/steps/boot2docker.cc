#include "services/provisioner/steps/boot2docker.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/ssh/ssh.h"
#include "services/common/status/status.h"
#include "services/provisioner/detect/facts.h"

namespace machine::provisioner {
namespace {

using ::machine::common::ShellQuote;

// Removes the setting and returns its value; empty where it is not there, or no text.
std::string Take(EngineSettings& settings, absl::string_view key) {
  auto& all = settings.daemon_json;
  const auto found =
      std::find_if(all.begin(), all.end(), [key](const auto& s) { return s.key == key; });
  if (found == all.end()) return "";
  const auto* text = std::get_if<std::string>(&found->value);
  std::string value = text == nullptr ? "" : *text;
  all.erase(found);
  return value;
}

// The script leaves these variables to the shell without quotes.
absl::Status CheckWord(absl::string_view word) {
  if (word.find_first_of(" \t\n*?[\\") == absl::string_view::npos) return absl::OkStatus();
  return common::InvalidField(
      "engine.arbitrary_flags",
      absl::StrCat("engine option ", word,
                   " holds a blank or one of * ? [ \\, which boot2docker's start script of the "
                   "engine cannot pass on"));
}

std::string Assignment(absl::string_view name, absl::string_view value) {
  return absl::StrCat(name, "=", ShellQuote(std::string(value)), "\n");
}

}  // namespace

absl::StatusOr<std::string> RenderBoot2dockerProfile(EngineSettings& settings) {
  for (const absl::string_view key : {"tlsverify", "tlscacert", "tlscert", "tlskey"}) {
    Take(settings, key);
  }
  const std::string storage_driver = Take(settings, "storage-driver");
  const std::string data_root = Take(settings, "data-root");
  std::vector<std::string> hosts;
  for (const std::string& host : settings.hosts) hosts.push_back(absl::StrCat("-H ", host));
  std::vector<std::string> flags = {absl::StrCat("--config-file=", kBoot2dockerDaemonJsonPath)};
  flags.insert(flags.end(), settings.flags.begin(), settings.flags.end());
  for (const std::string& host : settings.hosts) DM_RETURN_IF_ERROR(CheckWord(host));
  for (const std::string& flag : flags) DM_RETURN_IF_ERROR(CheckWord(flag));

  std::string text = absl::StrCat(
      "# Written by docker-machine, and again at each provision. Settings of yours belong in\n# ",
      kBoot2dockerDaemonJsonPath, " or bootlocal.sh.\n", Assignment("CACERT", kBoot2dockerCaPath),
      Assignment("SERVERCERT", kBoot2dockerServerCertPath),
      Assignment("SERVERKEY", kBoot2dockerServerKeyPath), Assignment("DOCKER_TLS", "auto"),
      Assignment("DOCKER_HOST", absl::StrJoin(hosts, " ")));
  if (!storage_driver.empty()) absl::StrAppend(&text, Assignment("DOCKER_STORAGE", storage_driver));
  if (!data_root.empty()) absl::StrAppend(&text, Assignment("DOCKER_DIR", data_root));
  absl::StrAppend(&text, Assignment("EXTRA_ARGS", absl::StrJoin(flags, " ")));
  for (const std::string& variable : settings.env) {
    const size_t equals = variable.find('=');
    absl::StrAppend(&text, "export ",
                    Assignment(variable.substr(0, equals), variable.substr(equals + 1)));
  }
  return text;
}

}  // namespace machine::provisioner
