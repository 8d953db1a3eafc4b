// Many commands at the same moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"
#include "tests/integration/listener.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

constexpr int kCommands = 20;
constexpr char kCreate[] = "create -d none --url=tcp://127.0.0.1:1 ";

class ParallelTest : public WorldTest {
 protected:
  std::vector<Outcome> CreateAll() {
    return AllAtOnce(kCommands, [&](int i) { return Run(absl::StrCat(kCreate, "m", i)); });
  }

  std::string NewSshKey() const {
    std::string path = world_.Path("key");
    EXPECT_EQ(
        world_.RunOther({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path}).exit_code, 0);
    return path;
  }

  void ExpectAllMade(const std::vector<Outcome>& outcomes) {
    for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.exit_code, 0) << outcome;
    const std::vector<std::string> names =
        absl::StrSplit(Run("ls -q").out, '\n', absl::SkipEmpty());
    EXPECT_EQ(names.size(), static_cast<size_t>(kCommands));
    for (int i = 0; i < kCommands; ++i) {
      EXPECT_TRUE(
          std::filesystem::exists(world_.machine_folder(absl::StrCat("m", i)) + "/config.json"))
          << i;
    }
  }
};

TEST_F(ParallelTest, TwentyCreatesAtOnceAllSucceed) {
  ASSERT_EQ(Run("ls").exit_code, 0);
  ExpectAllMade(CreateAll());
}

TEST_F(ParallelTest, TwentyFirstCreatesAgreeOnOneAuthority) {
  ExpectAllMade(CreateAll());
  EXPECT_EQ(world_.Processes("machine-orchestrator").size(), 1u);
  // Every machine's client certificate is one of its own CA, which is the only one there is.
  std::set<std::string> authorities;
  for (int i = 0; i < kCommands; ++i) {
    const std::string folder = world_.machine_folder(absl::StrCat("m", i));
    const Outcome verified =
        world_.RunOther({"openssl", "verify", "-CAfile", folder + "/ca.pem", folder + "/cert.pem"});
    EXPECT_EQ(verified.exit_code, 0) << verified;
    const Outcome of_key =
        world_.RunOther({"openssl", "pkey", "-in", folder + "/key.pem", "-pubout"});
    const Outcome of_certificate =
        world_.RunOther({"openssl", "x509", "-in", folder + "/cert.pem", "-noout", "-pubkey"});
    EXPECT_EQ(of_key.out, of_certificate.out);
    authorities.insert(common::ReadFile(folder + "/ca.pem").value());
  }
  EXPECT_EQ(authorities.size(), 1u);
}

TEST_F(ParallelTest, OfTwentyCreatesOfOneNameExactlyOneSucceeds) {
  const std::vector<Outcome> outcomes =
      AllAtOnce(kCommands, [&](int) { return Run(absl::StrCat(kCreate, "one")); });
  int made = 0;
  for (const Outcome& outcome : outcomes) {
    if (outcome.exit_code == 0) {
      ++made;
      continue;
    }
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.err, "Docker machine \"one\" already exists\n");
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(Run("ls -q").out, "one\n");
}

TEST_F(ParallelTest, TwentyFirstCommandsStartOneOrchestrator) {
  const std::vector<Outcome> outcomes = AllAtOnce(kCommands, [&](int) { return Run("ls -q"); });
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome;
    EXPECT_EQ(outcome.err, "");
  }
  // None that lost the race is still about, nor was there ever a second one.
  const std::vector<ProcessName> running = world_.Processes("machine-orchestrator");
  ASSERT_EQ(running.size(), 1u);
  EXPECT_EQ(running[0].pid, world_.Orchestrator().value().pid);
  const std::string log = common::ReadFile(world_.server_dir() + "/server.log").value();
  EXPECT_EQ(std::vector<std::string>(absl::StrSplit(log, "\"message\":\"serving\"")).size(), 2u)
      << log;
}

TEST_F(ParallelTest, CreatesAndRemovesAtOnceLeaveNothing) {
  const std::vector<Outcome> outcomes = AllAtOnce(kCommands, [&](int i) {
    Outcome made = Run(absl::StrCat(kCreate, "m", i));
    return made.exit_code == 0 ? Run(absl::StrCat("rm -y m", i)) : made;
  });
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.exit_code, 0) << outcome;
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_TRUE(std::filesystem::is_empty(world_.storage() + "/machines"));
}

// A create that waits for an ssh server which never says a word.
TEST_F(ParallelTest, ASecondCommandOnOneMachineIsToldWhatIsInItsWay) {
  const Listener silent;
  RunningCommand create = world_.Begin(absl::StrCat(
      "create -d generic --generic-ip-address=127.0.0.1 --generic-ssh-port=", silent.port(),
      " --generic-ssh-key=", NewSshKey(), " dev"));
  ASSERT_TRUE(Eventually(absl::Minutes(1), [&] { return Run("ls -q").out == "dev\n"; }));
  const Outcome refused = Run("upgrade dev");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, testing::HasSubstr("create")) << "the operation that holds it";
  EXPECT_EQ(Run("create --url tcp://127.0.0.1:1 dev").err,
            "Docker machine \"dev\" already exists\n");
  // All the while it can be read, and by force it can be removed.
  EXPECT_EQ(Run("inspect -f {{.DriverName}} dev").out, "generic\n");
  EXPECT_EQ(Run("rm -f dev").exit_code, 0);
  EXPECT_NE(create.Wait().exit_code, 0);
  EXPECT_EQ(Run("ls -q").out, "");
}

TEST_F(ParallelTest, RemovesOfOneMachineAtOnceAllComeToTheSameEnd) {
  ASSERT_EQ(Run(absl::StrCat(kCreate, "dev")).exit_code, 0);
  int removed = 0;
  for (const Outcome& outcome : AllAtOnce(kCommands, [&](int) { return Run("rm -y dev"); })) {
    if (outcome.exit_code == 0) {
      ++removed;
    } else {
      EXPECT_THAT(outcome.err, testing::HasSubstr("Docker machine \"dev\" does not exist"));
    }
  }
  EXPECT_GE(removed, 1);
  EXPECT_EQ(Run("ls -q").out, "");
}

TEST_F(ParallelTest, ReadsAtOnceAllAnswer) {
  ASSERT_EQ(Run(absl::StrCat(kCreate, "dev")).exit_code, 0);
  const std::vector<Outcome> outcomes = AllAtOnce(kCommands, [&](int i) {
    return Run(i % 2 == 0 ? "url dev" : "inspect -f {{.Driver.URL}} dev");
  });
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.out, "tcp://127.0.0.1:1\n") << outcome;
}

}  // namespace
}  // namespace machine::tests
