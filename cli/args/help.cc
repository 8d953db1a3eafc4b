#include "cli/args/help.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace machine::cli {
namespace {

constexpr size_t kTab = 8;

// `--quiet, -q`, `--driver, -d "none"`, `--filter [--filter option --filter option]`.
std::string FlagText(const Flag& flag) {
  std::string text;
  for (const std::string& name : flag.names) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", name.size() == 1 ? "-" : "--", name);
  }
  if (flag.type == FlagType::kList) {
    const std::string& name = flag.names[0];
    absl::StrAppend(&text, " [--", name, " option --", name, " option]");
  } else if (flag.type != FlagType::kBool && !flag.default_value.empty()) {
    absl::StrAppend(&text, " \"", flag.default_value, "\"");
  }
  return text;
}

std::string FlagUsage(const Flag& flag) {
  if (flag.env_vars.empty()) return flag.usage;
  return absl::StrCat(flag.usage, " [$", absl::StrJoin(flag.env_vars, ", $"), "]");
}

// Two columns; the second begins at a multiple of eight, as with the original's tabs.
std::string Columns(absl::string_view indent,
                    const std::vector<std::pair<std::string, std::string>>& rows) {
  size_t widest = 0;
  for (const auto& row : rows) widest = std::max(widest, indent.size() + row.first.size());
  const size_t column = (widest / kTab + 1) * kTab;
  std::string text;
  for (const auto& [left, right] : rows) {
    absl::StrAppend(&text, indent, left, std::string(column - indent.size() - left.size(), ' '),
                    right, "\n");
  }
  return text;
}

std::string FlagColumns(absl::string_view indent, const std::vector<Flag>& flags) {
  std::vector<std::pair<std::string, std::string>> rows;
  rows.reserve(flags.size());
  for (const Flag& flag : flags) rows.emplace_back(FlagText(flag), FlagUsage(flag));
  return Columns(indent, rows);
}

}  // namespace

std::string CommandHelp(const CommandInfo& info) {
  std::string text =
      absl::StrCat("Usage: docker-machine ", info.name, info.flags.empty() ? "" : " [OPTIONS]",
                   " [arg...]\n\n", info.summary, "\n");
  if (!info.description.empty()) {
    absl::StrAppend(&text, "\nDescription:\n   ", info.description, "\n");
  }
  if (!info.details.empty()) absl::StrAppend(&text, "\n", info.details, "\n");
  if (!info.flags.empty()) {
    absl::StrAppend(&text, "\nOptions:\n\n", FlagColumns("   ", info.flags));
  }
  if (!info.examples.empty()) text += "\nExamples:\n\n";
  for (const Example& example : info.examples) {
    absl::StrAppend(&text, "   # ", example.purpose, "\n   $ ", example.line, "\n");
  }
  return text;
}

std::string ProgramHelp(const ProgramInfo& info) {
  std::vector<Flag> flags = info.flags;
  flags.push_back({.names = {"help", "h"}, .type = FlagType::kBool, .usage = "show help"});
  flags.push_back(
      {.names = {"version", "v"}, .type = FlagType::kBool, .usage = "print the version"});
  std::vector<std::pair<std::string, std::string>> commands;
  commands.reserve(info.commands.size());
  for (const CommandInfo& command : info.commands) {
    if (command.hidden) continue;
    commands.emplace_back(command.name, command.summary);
  }
  return absl::StrCat(
      "Usage: docker-machine [OPTIONS] COMMAND [arg...]\n\n"
      "Create and manage machines running Docker.\n\n"
      "Version: ",
      info.version, "\n\nOptions:\n", FlagColumns("  ", flags), "\nCommands:\n",
      Columns("  ", commands),
      "\nRun 'docker-machine COMMAND --help' for more information on a command.\n");
}

}  // namespace machine::cli
