#include "services/provisioner/steps/drop_in.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

constexpr absl::string_view kLocalSocket = "unix:///var/run/docker.sock";

// The words of a command line in a unit, each as it stands there, quotes included.
std::vector<std::string> RawWords(absl::string_view line) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == 0 && absl::ascii_isspace(static_cast<unsigned char>(c))) {
      if (!word.empty()) words.push_back(std::exchange(word, ""));
      continue;
    }
    word.push_back(c);
    if (c == '\\' && i + 1 < line.size()) {
      word.push_back(line[++i]);
    } else if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

// True when `word` is the option `name`, which may come with its value: "--host=…", "-Hfd://".
bool IsOption(absl::string_view word, absl::string_view name) {
  if (name == "host" && absl::StartsWith(word, "-H")) return true;
  if (!absl::ConsumePrefix(&word, "--") || !absl::ConsumePrefix(&word, name)) return false;
  return word.empty() || word[0] == '=';
}

// Takes the option out, with its value where that is a word of its own. Returns whether any of the
// values taken out was `looked_for`.
bool RemoveOption(std::vector<std::string>& words, absl::string_view name, bool is_bool,
                  absl::string_view looked_for) {
  bool found = false;
  for (size_t i = 0; i < words.size();) {
    if (!IsOption(words[i], name)) {
      ++i;
      continue;
    }
    const bool value_follows = !is_bool &&
                               (words[i] == "-H" || words[i] == absl::StrCat("--", name)) &&
                               i + 1 < words.size();
    found |= absl::StrContains(words[i], looked_for) ||
             (value_follows && absl::StrContains(words[i + 1], looked_for));
    words.erase(words.begin() + i, words.begin() + i + (value_follows ? 2 : 1));
  }
  return found;
}

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"%", "%%"}});
}

bool NeedsQuotes(absl::string_view text) {
  return text.empty() || !std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || absl::StrContains("-_./:=,@+~[]", static_cast<char>(c));
         });
}

}  // namespace

std::string SystemdWord(absl::string_view text) {
  if (!NeedsQuotes(text)) return std::string(text);
  return absl::StrCat("\"", absl::StrReplaceAll(Escaped(text), {{"$", "$$"}}), "\"");
}

std::string SystemdAssignment(absl::string_view text) {
  return absl::StrCat("\"", Escaped(text), "\"");
}

absl::StatusOr<std::string> RenderDropIn(const Facts& facts, const EngineSettings& settings,
                                         bool lists_hosts) {
  std::vector<std::string> words = RawWords(facts.exec_start);
  if (words.empty()) {
    return common::Error(
        absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
        absl::StrCat("the host has an engine (", facts.dockerd_path,
                     ") but no systemd unit docker.service that starts it; install the engine from "
                     "a package"),
        {{"step", "configure"}});
  }
  for (const DaemonSetting& setting : settings.daemon_json) {
    RemoveOption(words, setting.flag, std::holds_alternative<bool>(setting.value), "");
  }
  const bool activated = RemoveOption(words, "host", /*is_bool=*/false, "fd://");
  if (!lists_hosts) {
    const bool has_socket_unit = facts.docker_socket.load_state == "loaded";
    words.push_back("-H");
    words.push_back(activated && has_socket_unit ? "fd://" : std::string(kLocalSocket));
    for (const std::string& host : settings.hosts) {
      words.push_back("-H");
      words.push_back(SystemdWord(host));
    }
  }
  for (const std::string& flag : settings.flags) words.push_back(SystemdWord(flag));

  std::string text =
      "# Written by docker-machine, and again at each provision. Settings of yours belong in a\n"
      "# drop-in of your own or in /etc/docker/daemon.json.\n"
      "[Service]\n"
      "ExecStart=\n";
  absl::StrAppend(&text, "ExecStart=", absl::StrJoin(words, " "), "\n");
  for (const std::string& variable : settings.env) {
    absl::StrAppend(&text, "Environment=", SystemdAssignment(variable), "\n");
  }
  return text;
}

}  // namespace machine::provisioner
