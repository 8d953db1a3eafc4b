#include "services/provisioner/steps/drop_in.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/functional/function_ref.h"
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
constexpr absl::string_view kSystemdSocket = "fd://";

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

// dockerd's one-letter spelling of an option; empty where there is none (dockerd's reference).
absl::string_view ShortName(absl::string_view name) {
  static constexpr std::pair<absl::string_view, absl::string_view> kShortNames[] = {
      {"bridge", "-b"}, {"data-root", "-g"}, {"debug", "-D"},          {"group", "-G"},
      {"host", "-H"},   {"log-level", "-l"}, {"storage-driver", "-s"},
  };
  for (const auto& [option, letter] : kShortNames) {
    if (option == name) return letter;
  }
  return "";
}

// The option `name` at words[i], which may come with its value in one word ("--host=…", "-Hfd://")
// or in the next one.
struct Found {
  // 0: it is not there.
  size_t words = 0;
  std::string value;
};
Found FindOption(const std::vector<std::string>& words, size_t i, absl::string_view name,
                 bool is_bool) {
  const absl::string_view short_name = ShortName(name);
  absl::string_view rest = words[i];
  const bool is_short = !short_name.empty() && absl::ConsumePrefix(&rest, short_name);
  if (!is_short && !(absl::ConsumePrefix(&rest, "--") && absl::ConsumePrefix(&rest, name))) {
    return {};
  }
  if (absl::ConsumePrefix(&rest, "=")) return {1, std::string(rest)};
  if (!rest.empty()) return is_short && !is_bool ? Found{1, std::string(rest)} : Found{};
  if (is_bool || i + 1 == words.size()) return {1, ""};
  return {2, words[i + 1]};
}

// Takes the option out wherever `unwanted` says so of its value. Returns how often it did.
int RemoveOption(std::vector<std::string>& words, absl::string_view name, bool is_bool,
                 absl::FunctionRef<bool(const std::string& value)> unwanted) {
  int removed = 0;
  for (size_t i = 0; i < words.size();) {
    const Found found = FindOption(words, i, name, is_bool);
    if (found.words == 0 || !unwanted(found.value)) {
      ++i;
      continue;
    }
    ++removed;
    words.erase(words.begin() + static_cast<ptrdiff_t>(i),
                words.begin() + static_cast<ptrdiff_t>(i + found.words));
  }
  return removed;
}

// Takes out what the settings say; dockerd refuses to be told twice. Returns whether it was there.
bool RemoveSettings(std::vector<std::string>& words, const EngineSettings& settings) {
  int removed = 0;
  for (const DaemonSetting& setting : settings.daemon_json) {
    removed += RemoveOption(words, setting.flag, std::holds_alternative<bool>(setting.value),
                            [](const std::string&) { return true; });
  }
  return removed > 0;
}

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"%", "%%"}});
}

// A variable of the unit that sets what is ours to set is replaced by its words without that; the
// others stay as they are, for whoever changes the file that has them. `activated` becomes true
// where one has the engine take its sockets from systemd.
std::vector<std::string> ExpandVariables(std::vector<std::string> words, const Facts& facts,
                                         const EngineSettings& settings, bool lists_hosts,
                                         bool& activated) {
  std::vector<std::string> expanded;
  for (std::string& word : words) {
    const auto variable = absl::StartsWith(word, "$") ? facts.unit_variables.find(word.substr(1))
                                                      : facts.unit_variables.end();
    if (variable == facts.unit_variables.end()) {
      expanded.push_back(std::move(word));
      continue;
    }
    std::vector<std::string> own = RawWords(variable->second);
    bool ours = RemoveSettings(own, settings);
    ours |= RemoveOption(own, "host", /*is_bool=*/false, [&](const std::string& host) {
              activated |= host == kSystemdSocket;
              return lists_hosts || host == kLocalSocket || host == kSystemdSocket ||
                     absl::c_linear_search(settings.hosts, host);
            }) > 0;
    if (!ours) {
      expanded.push_back(std::move(word));
      continue;
    }
    for (const std::string& each : own) {
      expanded.push_back(absl::StrReplaceAll(each, {{"%", "%%"}, {"$", "$$"}}));
    }
  }
  return expanded;
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
  RemoveSettings(words, settings);
  bool activated = false;
  RemoveOption(words, "host", /*is_bool=*/false, [&](const std::string& host) {
    activated |= absl::StrContains(host, kSystemdSocket);
    return true;
  });
  words = ExpandVariables(std::move(words), facts, settings, lists_hosts, activated);
  if (!lists_hosts) {
    const bool has_socket_unit = facts.docker_socket.load_state == "loaded";
    words.push_back("-H");
    words.push_back(std::string(activated && has_socket_unit ? kSystemdSocket : kLocalSocket));
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
