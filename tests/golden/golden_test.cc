// Replays the transcripts in a folder (CASES) with the real programs. With --update they are
// written anew:
//
//   deploy/build.sh run --test_sharding_strategy=disabled //tests/golden:golden_test -- --update
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "re2/re2.h"
#include "services/common/file/file.h"
#include "services/common/ssh/sshd_for_test.h"
#include "tests/golden/transcript.h"
#include "tests/integration/listener.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kCases = CASES;
constexpr char kToyDriver[] = "tests/golden/machine-driver-toy";
constexpr char kHyperVDriver[] = "drivers/hyper-v/machine-driver-hyper-v";
constexpr char kPressTab[] = "tests/golden/press_tab.zsh";

bool update = false;

// Where the commands of one transcript run: machines of driver `toy` are this host, by a real ssh
// server, and their engine accepts connections.
class Stage {
 public:
  Stage() {
    fs::copy_file(kToyDriver, world_.libexec() + "/machine-driver-toy");
    fs::create_directories(world_.Path("toy"));
    fs::create_directories(world_.Path("work"));
    auto sshd = common::SshdForTest::Start(
        {absl::StrCat("AuthorizedKeysFile ", world_.Path("toy/authorized_keys")),
         // Nobody's start-up files are read.
         absl::StrCat("SetEnv HOME=", world_.Path("home")), "Subsystem sftp internal-sftp"});
    EXPECT_TRUE(sshd.ok()) << sshd.status();
    if (sshd.ok()) sshd_ = *std::move(sshd);
    const std::string ssh_port = sshd_ == nullptr ? "0" : absl::StrCat(sshd_->port());
    const std::string port = std::string(engine_.url().substr(engine_.url().rfind(':') + 1));
    // Variables of the commands, and what stands for their values in transcripts. A port has five
    // digits, and its name five letters: tables keep their shape.
    variables_ = {{"PORT", port},
                  {"SSHP", ssh_port},
                  {"STORE", world_.storage()},
                  {"WORK", world_.Path("work")},
                  {"PREFIX", world_.Path("prefix")},
                  {"HYPERV", fs::absolute(kHyperVDriver).string()},
                  {"TAB", fs::absolute(kPressTab).string()},
                  {"HOMEDIR", world_.Path("home")}};
    // The engine of the end-to-end tests' hosts; see tests/hosts.
    if (const char* const bed = std::getenv("MACHINE_BED_DOCKER_HOST"); bed != nullptr) {
      variables_.emplace_back("BED", bed);
    }
    for (const auto& [name, value] : variables_) world_.SetEnv(name, value);
    world_.SetEnv("TOY_URL", engine_.url());
    world_.SetEnv("TOY_FOLDER", world_.Path("toy"));
    world_.SetEnv("TOY_SSH_PORT", ssh_port);
    world_.SetEnv("TOY_SSH_HOST_KEY", sshd_ == nullptr ? "" : sshd_->host_key_sha256());
  }

  TranscriptStep Run(const TranscriptStep& step) const {
    const Outcome outcome =
        world_.RunOther({"bash", "-c", absl::StrCat("cd \"$WORK\"\n", step.command)}, step.input);
    TranscriptStep seen = step;
    seen.out = Stable(outcome.out);
    seen.err = Stable(outcome.err);
    seen.exit_code = outcome.exit_code;
    return seen;
  }

  void End() { world_.End(); }

 private:
  // What differs from run to run by its name.
  std::string Stable(std::string text) const {
    for (const auto& [name, value] : variables_) {
      text = absl::StrReplaceAll(text, {{value, absl::StrCat("$", name)}});
    }
    RE2::GlobalReplace(&text, R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", "$TIME");
    RE2::GlobalReplace(&text, R"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
                       "$UUID");
    RE2::GlobalReplace(&text, R"(\b[0-9a-f]{32}\b)", "$TRACE");
    RE2::GlobalReplace(&text, R"(\b10\.\d+\.\d+\.\d+)", "$IP");
    RE2::GlobalReplace(&text, R"(, build [0-9A-Za-z.+-]+)", ", build $BUILD");
    RE2::GlobalReplace(&text, R"((INFO|ERRO)\[\d{4}\])", R"(\1[$SECS])");
    return text;
  }

  World world_;
  Listener engine_;
  std::unique_ptr<common::SshdForTest> sshd_;
  std::vector<std::pair<std::string, std::string>> variables_;
};

std::vector<std::string> Cases() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(std::string(kCases))) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class GoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTest, ReplaysTheSame) {
  if (absl::EndsWith(kCases, "_e2e") && std::getenv("MACHINE_BED_DOCKER_HOST") == nullptr) {
    GTEST_SKIP() << "no test hosts: run deploy/test.sh";
  }
  const std::string file = absl::StrCat(kCases, "/", GetParam(), ".txt");
  const std::vector<TranscriptStep> steps = ParseTranscript(common::ReadFile(file).value());
  ASSERT_FALSE(steps.empty()) << file;
  Stage stage;
  std::vector<TranscriptStep> seen;
  for (const TranscriptStep& step : steps) {
    seen.push_back(stage.Run(step));
    if (update) continue;
    SCOPED_TRACE(absl::StrCat(file, ": $ ", step.command));
    EXPECT_EQ(seen.back().out, step.out);
    EXPECT_EQ(seen.back().err, step.err);
    EXPECT_EQ(seen.back().exit_code, step.exit_code);
  }
  stage.End();
  if (!update) return;
  const char* const workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  ASSERT_NE(workspace, nullptr) << "--update needs: deploy/build.sh run";
  EXPECT_TRUE(
      common::WriteFileAtomically(absl::StrCat(workspace, "/", file), TranscriptText(seen), 0644)
          .ok());
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenTest, testing::ValuesIn(Cases()), [](const auto& info) {
  return absl::StrReplaceAll(info.param, {{"-", "_"}});
});

}  // namespace
}  // namespace machine::tests

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  machine::tests::update = argc > 1 && std::string(argv[1]) == "--update";
  return RUN_ALL_TESTS();
}
