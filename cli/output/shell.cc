#include "cli/output/shell.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace machine::cli {
namespace {

// Backslash before each character of `special`.
std::string Escape(absl::string_view text, absl::string_view special, char escape) {
  std::string escaped;
  for (const char c : text) {
    if (absl::StrContains(special, c)) escaped += escape;
    escaped += c;
  }
  return escaped;
}

std::string CmdEscape(absl::string_view value) {
  // "@FOR … DO @%i" runs each line, so its metacharacters need their caret, and % has none that
  // works.
  return Escape(value, "^&|<>", '^');
}

// In double quotes csh expands $, ` and !, and knows no escape for the first two.
std::string TcshQuote(absl::string_view value) {
  if (value.find_first_of("$`\"!\\") == absl::string_view::npos) {
    return absl::StrCat("\"", value, "\"");
  }
  return absl::StrCat("'", absl::StrReplaceAll(value, {{"'", "'\\''"}, {"!", "\\!"}}), "'");
}

std::string SetVariable(Shell shell, absl::string_view name, absl::string_view value) {
  switch (shell) {
    case Shell::kPosix:
      return absl::StrCat("export ", name, "=\"", Escape(value, "\"\\$`", '\\'), "\"\n");
    case Shell::kFish:
      return absl::StrCat("set -gx ", name, " \"", Escape(value, "\"\\$", '\\'), "\";\n");
    case Shell::kPowershell:
      return absl::StrCat("$Env:", name, " = \"", Escape(value, "\"$`", '`'), "\"\n");
    case Shell::kCmd:
      return absl::StrCat("SET ", name, "=", CmdEscape(value), "\n");
    case Shell::kTcsh:
      return absl::StrCat("setenv ", name, " ", TcshQuote(value), ";\n");
    case Shell::kEmacs:
      return absl::StrCat("(setenv \"", name, "\" \"", Escape(value, "\"\\", '\\'), "\")\n");
  }
  return "";
}

std::string UnsetVariable(Shell shell, absl::string_view name) {
  switch (shell) {
    case Shell::kPosix:
      return absl::StrCat("unset ", name, "\n");
    case Shell::kFish:
      return absl::StrCat("set -e ", name, ";\n");
    case Shell::kPowershell:
      return absl::StrCat("Remove-Item Env:\\\\", name, "\n");
    case Shell::kCmd:
      return absl::StrCat("SET ", name, "=\n");
    case Shell::kTcsh:
      return absl::StrCat("unsetenv ", name, ";\n");
    case Shell::kEmacs:
      return absl::StrCat("(setenv \"", name, "\" nil)\n");
  }
  return "";
}

}  // namespace

absl::StatusOr<Shell> DetectShell(absl::string_view name, absl::string_view login_shell) {
  if (name.empty()) {
    name = login_shell.substr(login_shell.rfind('/') + 1);
    if (name.empty()) return absl::InvalidArgumentError("Error: Unknown shell");
  }
  if (name == "fish") return Shell::kFish;
  if (name == "powershell" || name == "pwsh") return Shell::kPowershell;
  if (name == "cmd") return Shell::kCmd;
  if (name == "tcsh" || name == "csh") return Shell::kTcsh;
  if (name == "emacs") return Shell::kEmacs;
  return Shell::kPosix;
}

std::string SetVariables(Shell shell,
                         const std::vector<std::pair<std::string, std::string>>& variables) {
  std::string lines;
  for (const auto& [name, value] : variables) lines += SetVariable(shell, name, value);
  return lines;
}

std::string UnsetVariables(Shell shell, const std::vector<std::string>& names) {
  std::string lines;
  for (const std::string& name : names) lines += UnsetVariable(shell, name);
  return lines;
}

std::string UsageHint(Shell shell, const std::vector<std::string>& command_line) {
  std::string command;
  for (const std::string& word : command_line) {
    const bool quote = command.empty() && word.find_first_of(" \\") != std::string::npos;
    absl::StrAppend(&command, command.empty() ? "" : " ",
                    quote ? absl::StrCat("\"", word, "\"") : word);
  }
  absl::string_view comment = "#";
  switch (shell) {
    case Shell::kPosix:
      command = absl::StrCat("eval $(", command, ")");
      break;
    case Shell::kFish:
      command = absl::StrCat("eval (", command, ")");
      break;
    case Shell::kPowershell:
      command = absl::StrCat("& ", command, " | Invoke-Expression");
      break;
    case Shell::kCmd:
      command = absl::StrCat("\t@FOR /f \"tokens=*\" %i IN ('", command, "') DO @%i");
      comment = "REM";
      break;
    case Shell::kTcsh:
      command = absl::StrCat("eval `", command, "`");
      comment = ":";
      break;
    case Shell::kEmacs:
      command = absl::StrCat("(with-temp-buffer (shell-command \"", command,
                             "\" (current-buffer)) (eval-buffer))");
      comment = ";;";
      break;
  }
  return absl::StrCat(comment, " Run this command to configure your shell: \n", comment, " ",
                      command, "\n");
}

std::string QuoteForPosix(absl::string_view text) {
  const auto plain = [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("_-./:=@%+,~", c) ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  bool needs_quotes = text.empty();
  for (const char c : text) needs_quotes |= !plain(c);
  if (!needs_quotes) return std::string(text);
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

}  // namespace machine::cli
