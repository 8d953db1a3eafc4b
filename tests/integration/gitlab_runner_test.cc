// What the docker+machine executor of GitLab Runner does, with as many machines at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/integration/listener.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

constexpr int kMachines = 30;
// Before every command.
constexpr char kGlobal[] = "--bugsnag-api-token=no-report";

class GitlabRunnerTest : public WorldTest {
 protected:
  GitlabRunnerTest() {
    // What else is in its environment.
    world_.SetEnv("MACHINE_BUGSNAG_API_TOKEN", "no-report");
    world_.SetEnv("MACHINE_GITHUB_API_TOKEN", "none");
    world_.SetEnv("DOCKER_MACHINE_NAME", "");
  }

  static std::string Name(int i) { return absl::StrCat("runner-x7abc-auto-scale-", i); }

  Outcome Command(absl::string_view line) const { return Run(absl::StrCat(kGlobal, " ", line)); }

  // A command whose one line on standard output is all that it prints.
  std::string Line(absl::string_view line) const {
    const Outcome outcome = Command(line);
    EXPECT_EQ(outcome.exit_code, 0) << line << ": " << outcome;
    EXPECT_EQ(outcome.err, "") << line;
    EXPECT_EQ(outcome.out.find('\n') + 1, outcome.out.size()) << line << ": " << outcome;
    return outcome.out.substr(0, outcome.out.find('\n'));
  }

  // The machines as the executor finds them: folders with a config.json.
  std::vector<std::string> Listed() const {
    std::vector<std::string> names;
    std::error_code none_yet;
    for (const auto& entry : fs::directory_iterator(world_.storage() + "/machines", none_yet)) {
      if (fs::exists(entry.path() / "config.json")) names.push_back(entry.path().filename());
    }
    return names;
  }

  // The whole life of one machine.
  Outcome Live(const std::string& name) const {
    Outcome outcome = Command(absl::StrCat("create --driver none --url=", engine_.url(),
                                           " --engine-registry-mirror=http://192.0.2.1:12000 ",
                                           "--engine-label=ci=yes ", name));
    if (outcome.exit_code != 0) return outcome;
    EXPECT_TRUE(fs::exists(world_.machine_folder(name) + "/config.json")) << name;
    for (const char* const command : {"inspect ", "config "}) {
      outcome = Command(absl::StrCat(command, name));
      if (outcome.exit_code != 0) return outcome;
    }
    EXPECT_EQ(Line("url " + name), engine_.url());
    EXPECT_EQ(Line("ip " + name), "127.0.0.1");
    EXPECT_EQ(Line("status " + name), "Running");
    const std::string folder =
        Line(absl::StrCat("inspect ", name, " -f {{.HostOptions.AuthOptions.StorePath}}"));
    EXPECT_EQ(folder, world_.machine_folder(name));
    for (const char* const file : {"ca.pem", "cert.pem", "key.pem"}) {
      EXPECT_TRUE(fs::exists(folder + "/" + file)) << folder << "/" << file;
    }
    return outcome;
  }

  Listener engine_;
};

TEST_F(GitlabRunnerTest, ThirtyMachinesAtOnceFromCreateToRemove) {
  EXPECT_THAT(Listed(), IsEmpty());
  const std::vector<Outcome> lives = AllAtOnce(kMachines, [&](int i) { return Live(Name(i)); });
  std::vector<std::string> names;
  for (int i = 0; i < kMachines; ++i) {
    EXPECT_EQ(lives[static_cast<size_t>(i)].exit_code, 0) << lives[static_cast<size_t>(i)];
    names.push_back(Name(i));
  }
  EXPECT_THAT(Listed(), UnorderedElementsAreArray(names));

  const std::vector<Outcome> removals =
      AllAtOnce(kMachines, [&](int i) { return Command("rm -y " + Name(i)); });
  for (const Outcome& removal : removals) EXPECT_EQ(removal.exit_code, 0) << removal;
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_TRUE(fs::is_empty(world_.storage() + "/machines"));
}

TEST_F(GitlabRunnerTest, CreateThatFailsIsRetriedByProvisionAndThenRemoved) {
  const std::string name = Name(0);
  const Outcome made = Command("create --driver none --url=nonsense " + name);
  EXPECT_NE(made.exit_code, 0);
  EXPECT_NE(Command("provision " + name).exit_code, 0);
  EXPECT_NE(Command("inspect " + name).exit_code, 0);
  EXPECT_THAT(Listed(), IsEmpty());
}

TEST_F(GitlabRunnerTest, MachineWhoseEngineDoesNotAnswerIsNotUsed) {
  const std::string name = Name(0);
  ASSERT_EQ(Live(name).exit_code, 0);
  engine_.Refuse();
  EXPECT_NE(Command("config " + name).exit_code, 0);
  // It is stopped before it is removed; that one cannot be is no reason to keep it.
  EXPECT_NE(Command("stop " + name).exit_code, 0);
  EXPECT_EQ(Command("rm -y " + name).exit_code, 0);
  EXPECT_THAT(Listed(), IsEmpty());
}

}  // namespace
}  // namespace machine::tests
