#include "cli/args/man.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace machine::cli {
namespace {

// Text that roff takes for what it is: no command at the start of a line, no escape, no dash that
// becomes a hyphen.
std::string Roff(absl::string_view text) {
  std::string escaped = absl::StrReplaceAll(text, {{"\\", "\\e"}, {"-", "\\-"}});
  for (const char* control : {".", "'"}) {
    if (absl::StartsWith(escaped, control)) escaped.insert(0, "\\&");
    escaped = absl::StrReplaceAll(escaped,
                                  {{absl::StrCat("\n", control), absl::StrCat("\n\\&", control)}});
  }
  return escaped;
}

std::string Title(absl::string_view name, absl::string_view version) {
  return absl::StrCat(".TH \"", Roff(name), "\" 1 \"\" \"docker\\-machine ",
                      Roff(version.substr(0, version.find(','))), "\" \"Docker Machine\"\n");
}

std::string FlagEntry(const Flag& flag) {
  std::vector<std::string> names;
  for (const std::string& name : flag.names) {
    names.push_back(absl::StrCat("\\fB", name.size() == 1 ? "\\-" : "\\-\\-", Roff(name), "\\fR"));
  }
  std::string text = absl::StrCat(".TP\n", absl::StrJoin(names, ", "));
  if (flag.type != FlagType::kBool) text += " \\fIVALUE\\fR";
  absl::StrAppend(&text, "\n", Roff(flag.usage), ".\n");
  if (flag.type == FlagType::kList) text += "May be given several times.\n";
  if (!flag.values.empty()) {
    absl::StrAppend(&text, "One of ", Roff(absl::StrJoin(flag.values, ", ")), ".\n");
  }
  if (!flag.default_value.empty()) {
    absl::StrAppend(&text, "Default: ", Roff(flag.default_value), ".\n");
  }
  if (!flag.env_vars.empty()) {
    absl::StrAppend(&text, "Environment: ", Roff(absl::StrJoin(flag.env_vars, ", ")), ".\n");
  }
  return text;
}

std::string Flags(const std::vector<Flag>& flags) {
  std::string text;
  for (const Flag& flag : flags) text += FlagEntry(flag);
  return text;
}

std::string PageName(const CommandInfo& command) {
  return absl::StrCat("docker-machine-", command.name);
}

constexpr char kExitStatus[] =
    ".SH EXIT STATUS\n"
    ".TP\n0\nsuccess\n"
    ".TP\n1\nan error, which standard error tells\n"
    ".TP\n3\na check before a creation failed; nothing was made\n"
    ".TP\n4\n\\fBstatus\\fR: the machine is gone at its provider\n"
    ".PP\n\\fBssh\\fR returns the status of the remote command.\n";

}  // namespace

std::string ProgramManPage(const ProgramInfo& program) {
  std::string text = absl::StrCat(
      Title("DOCKER-MACHINE", program.version),
      ".SH NAME\ndocker\\-machine \\- create and manage machines running Docker\n"
      ".SH SYNOPSIS\n\\fBdocker\\-machine\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIarg\\fR...]\n"
      ".SH DESCRIPTION\nMakes hosts with Docker on them: on a cloud, on a hypervisor, on a server "
      "that is reached by SSH,\nor as a container. Without an address of a shared orchestrator it "
      "starts one of its own, whose\ndata is below the storage path.\n.SH OPTIONS\n",
      Flags(program.flags), ".SH COMMANDS\n");
  std::vector<std::string> pages;
  for (const CommandInfo& command : program.commands) {
    if (command.hidden) continue;
    absl::StrAppend(&text, ".TP\n\\fB", Roff(command.name), "\\fR\n", Roff(command.summary), "\n");
    if (command.name != "help") {
      pages.push_back(absl::StrCat("\\fB", Roff(PageName(command)), "\\fR(1)"));
    }
  }
  absl::StrAppend(&text, kExitStatus,
                  ".SH FILES\n.TP\n~/.docker/machine\nthe storage path: machines, certificates, "
                  "the private orchestrator's state\n.SH SEE ALSO\n",
                  absl::StrJoin(pages, ",\n"), "\n");
  return text;
}

std::string CommandManPage(const ProgramInfo& program, const CommandInfo& command) {
  std::string text =
      absl::StrCat(Title(absl::AsciiStrToUpper(PageName(command)), program.version), ".SH NAME\n",
                   Roff(PageName(command)), " \\- ", Roff(command.summary),
                   "\n.SH SYNOPSIS\n\\fBdocker\\-machine ", Roff(command.name), "\\fR",
                   command.flags.empty() ? "" : " [\\fIOPTIONS\\fR]",
                   " [\\fIarg\\fR...]\n.SH DESCRIPTION\n", Roff(command.summary), ".\n");
  for (const std::string& paragraph : {command.description, command.details}) {
    if (!paragraph.empty()) absl::StrAppend(&text, ".PP\n", Roff(paragraph), "\n");
  }
  if (!command.flags.empty()) absl::StrAppend(&text, ".SH OPTIONS\n", Flags(command.flags));
  if (!command.examples.empty()) text += ".SH EXAMPLES\n";
  for (const Example& example : command.examples) {
    absl::StrAppend(&text, ".TP\n\\fB", Roff(example.line), "\\fR\n", Roff(example.purpose), "\n");
  }
  absl::StrAppend(&text, kExitStatus, ".SH SEE ALSO\n\\fBdocker\\-machine\\fR(1)\n");
  return text;
}

}  // namespace machine::cli
