#include "cli/output/shell.h"

#include <gtest/gtest.h>

#include <string>

#include "services/common/process/process.h"
#include "services/common/process/run.h"

namespace machine::cli {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

struct SyntaxCase {
  absl::string_view label;
  Shell shell;
  absl::string_view set, unset, hint;
};
class SyntaxTest : public testing::TestWithParam<SyntaxCase> {};
TEST_P(SyntaxTest, IsTheOriginals) {
  const SyntaxCase& c = GetParam();
  EXPECT_EQ(SetVariables(c.shell, {{"K", "v"}}), c.set);
  EXPECT_EQ(UnsetVariables(c.shell, {"K"}), c.unset);
  EXPECT_EQ(UsageHint(c.shell, {"docker-machine", "env", "dev"}), c.hint);
}
INSTANTIATE_TEST_SUITE_P(
    Shells, SyntaxTest,
    testing::ValuesIn<SyntaxCase>({
        {"Posix", Shell::kPosix, "export K=\"v\"\n", "unset K\n",
         "# Run this command to configure your shell: \n# eval $(docker-machine env dev)\n"},
        {"Fish", Shell::kFish, "set -gx K \"v\";\n", "set -e K;\n",
         "# Run this command to configure your shell: \n# eval (docker-machine env dev)\n"},
        {"Powershell", Shell::kPowershell, "$Env:K = \"v\"\n", "Remove-Item Env:\\\\K\n",
         "# Run this command to configure your shell: \n"
         "# & docker-machine env dev | Invoke-Expression\n"},
        {"Cmd", Shell::kCmd, "SET K=v\n", "SET K=\n",
         "REM Run this command to configure your shell: \n"
         "REM \t@FOR /f \"tokens=*\" %i IN ('docker-machine env dev') DO @%i\n"},
        {"Tcsh", Shell::kTcsh, "setenv K \"v\";\n", "unsetenv K;\n",
         ": Run this command to configure your shell: \n: eval `docker-machine env dev`\n"},
        {"Emacs", Shell::kEmacs, "(setenv \"K\" \"v\")\n", "(setenv \"K\" nil)\n",
         ";; Run this command to configure your shell: \n"
         ";; (with-temp-buffer (shell-command \"docker-machine env dev\" (current-buffer)) "
         "(eval-buffer))\n"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

struct DetectCase {
  absl::string_view label, name, login_shell;
  Shell want;
};
class DetectTest : public testing::TestWithParam<DetectCase> {};
TEST_P(DetectTest, FindsTheShell) {
  EXPECT_EQ(DetectShell(GetParam().name, GetParam().login_shell).value(), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Shells, DetectTest,
                         testing::ValuesIn<DetectCase>({
                             {"LoginShell", "", "/usr/bin/fish", Shell::kFish},
                             {"FlagWins", "tcsh", "/bin/bash", Shell::kTcsh},
                             {"UnknownWordIsPosix", "oil", "", Shell::kPosix},
                             {"Zsh", "", "/bin/zsh", Shell::kPosix},
                             {"NoFolder", "", "fish", Shell::kFish},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(DetectShellTest, NothingKnownIsAnError) {
  EXPECT_EQ(DetectShell("", "").status().message(), "Error: Unknown shell");
}

TEST(UsageHintTest, ProgramWithBlanksIsQuoted) {
  EXPECT_EQ(UsageHint(Shell::kPosix, {"/my tools/docker-machine", "env", "dev"}),
            "# Run this command to configure your shell: \n"
            "# eval $(\"/my tools/docker-machine\" env dev)\n");
}

TEST(QuoteForPosixTest, QuotesOnlyWhereNeeded) {
  EXPECT_EQ(QuoteForPosix("/home/me/.docker/machine/ca.pem"), "/home/me/.docker/machine/ca.pem");
  EXPECT_EQ(QuoteForPosix("/my files/it's"), "'/my files/it'\\''s'");
  EXPECT_EQ(QuoteForPosix(""), "''");
}

// `script` as one argument of the shell; emacs evaluates one form only.
std::string Argument(Shell shell, const std::string& script) {
  return shell == Shell::kEmacs ? "(progn " + script + ")" : script;
}

// Each shell evaluates what is meant for it, and must see the value as it was.
struct RealCase {
  absl::string_view label;
  Shell shell;
  absl::string_view program;
  std::vector<std::string> options;
  // Follows the lines under test and prints the variable, then unsets, then prints a mark.
  absl::string_view print;
};
class RealShellTest : public testing::TestWithParam<RealCase> {};
TEST_P(RealShellTest, TakesTheValueAsItIs) {
  const RealCase& c = GetParam();
  if (!common::FindProgram(c.program).ok()) GTEST_SKIP() << c.program << " is not installed";
  for (const std::string value :
       {"plain", "two words", "a\"b", "it's", "$HOME `id` \\n", "ex!cl", "*?[x]", "a;b|c&d"}) {
    const std::string script = SetVariables(c.shell, {{"DM_TEST", value}}) + std::string(c.print);
    std::vector<std::string> argv = {std::string(c.program)};
    argv.insert(argv.end(), c.options.begin(), c.options.end());
    argv.push_back(Argument(c.shell, script));
    const auto result = common::RunProgram(argv);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->stdout_data, value) << script << result->stderr_data;
  }
}
TEST_P(RealShellTest, TakesTheVariableAway) {
  const RealCase& c = GetParam();
  if (!common::FindProgram(c.program).ok()) GTEST_SKIP() << c.program << " is not installed";
  const std::string script = SetVariables(c.shell, {{"DM_TEST", "value"}}) +
                             UnsetVariables(c.shell, {"DM_TEST"}) + UsageHint(c.shell, {"true"}) +
                             std::string(c.print);
  std::vector<std::string> argv = {std::string(c.program)};
  argv.insert(argv.end(), c.options.begin(), c.options.end());
  argv.push_back(Argument(c.shell, script));
  const auto result = common::RunProgram(argv);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->stdout_data, "") << script << result->stderr_data;
}
INSTANTIATE_TEST_SUITE_P(
    Shells, RealShellTest,
    testing::ValuesIn<RealCase>({
        {"Bash", Shell::kPosix, "bash", {"-c"}, "printenv DM_TEST | tr -d '\\n'"},
        {"Dash", Shell::kPosix, "dash", {"-c"}, "printenv DM_TEST | tr -d '\\n'"},
        {"Zsh", Shell::kPosix, "zsh", {"-f", "-c"}, "printenv DM_TEST | tr -d '\\n'"},
        {"Fish", Shell::kFish, "fish", {"--no-config", "-c"}, "printenv DM_TEST | tr -d '\\n'"},
        {"Tcsh", Shell::kTcsh, "tcsh", {"-f", "-c"}, "printenv DM_TEST | tr -d '\\n'"},
        {"Emacs",
         Shell::kEmacs,
         "emacs",
         {"--batch", "-Q", "--eval"},
         "(princ (or (getenv \"DM_TEST\") \"\"))"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

}  // namespace
}  // namespace machine::cli
