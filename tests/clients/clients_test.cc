// Clients and a driver in other languages, against the real orchestrator and conformance suite.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/process/process.h"
#include "tests/e2e/bed.h"
#include "tests/integration/shared_world.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;

/// A language and how its client is run.
struct Language {
  std::string name;
  /// The program with its first arguments, in the folder that install.sh made.
  std::vector<std::string> argv;
};

void PrintTo(const Language& language, std::ostream* out) { *out << language.name; }

// Empty where install.sh could not be run.
std::string Folder() {
  const char* const folder = getenv("MACHINE_CLIENTS");
  return folder == nullptr ? "" : folder;
}

bool Prepared(const std::string& language) {
  return !Folder().empty() && access((Folder() + "/" + language).c_str(), R_OK) == 0;
}

std::vector<Language> Languages() {
  return {
      {"python", {"python/bin/python", "tests/clients/python/tour.py"}},
      {"go", {"go/tour"}},
      {"node", {"/usr/bin/env", "node", "node/tour.js"}},
  };
}

// The command of the language's tour with `words`, flags first: Go stops looking for them at the
// address.
std::vector<std::string> TourOf(const Language& language, const std::vector<std::string>& flags,
                                const std::string& address, const std::vector<std::string>& words) {
  std::vector<std::string> argv;
  for (const std::string& word : language.argv) {
    const bool prepared = absl::StartsWith(word, language.name + "/");
    argv.push_back(prepared ? absl::StrCat(Folder(), "/", word) : word);
  }
  argv.insert(argv.end(), flags.begin(), flags.end());
  argv.push_back(address);
  argv.insert(argv.end(), words.begin(), words.end());
  return argv;
}

// What each tour prints with machines known by URL.
constexpr char kTourOfUrls[] =
    "created t-1\n"
    "created t-2\n"
    "created again: ALREADY_EXISTS MACHINE_EXISTS\n"
    "listed by pages of one: machines/t-1, machines/t-2\n"
    "watched: 2, then MODIFIED machines/t-1\n"
    "stopped: UNIMPLEMENTED CAPABILITY_MISSING\n"
    "started: UNIMPLEMENTED CAPABILITY_MISSING\n"
    "cancelled: CANCELLED BY_USER\n"
    "removed: done\n"
    "removed: done\n"
    "removed: done\n";

const std::vector<std::string>& BlockedFlags() {
  static const auto* const flags =
      new std::vector<std::string>{"--blocked", "generic-ip-address=127.0.0.1,generic-ssh-port=1"};
  return *flags;
}

class ClientsTest : public WorldTest, public testing::WithParamInterface<Language> {
 protected:
  void SetUp() override {
    if (!Prepared(GetParam().name)) {
      GTEST_SKIP() << "no " << GetParam().name << " client: see tests/clients/README.md";
    }
    world_.SetEnv("PYTHONPATH", Folder() + "/python/stubs");
    ASSERT_EQ(Run("ls").exit_code, 0);  // which starts the orchestrator
  }

  Outcome Tour(std::vector<std::string> flags, const std::vector<std::string>& words) const {
    const std::string server = world_.server_dir();
    flags.insert(flags.end(), {"--cookie-file", server + "/server.json"});
    return world_.RunOther(
        TourOf(GetParam(), flags, absl::StrCat("unix:", server, "/o.sock"), words));
  }
};

TEST_P(ClientsTest, TakeTheTourOfMachinesKnownByUrl) {
  const Outcome tour = Tour(BlockedFlags(), {"t", "none", "url=tcp://127.0.0.1:2376"});
  EXPECT_EQ(tour.exit_code, 0) << tour;
  EXPECT_EQ(tour.out, kTourOfUrls);
  EXPECT_EQ(Run("ls -q").out, "");
}

TEST_P(ClientsTest, TakeTheTourOfRealHosts) {
  if (!Bed::Ready()) GTEST_SKIP() << kNoBed;
  const Bed bed;
  const std::string name = absl::StrCat("tour-", getpid(), "-", GetParam().name);
  const Outcome tour =
      Tour({"--run", "hostname"}, {name, "docker", absl::StrCat("docker-endpoint=", bed.engine())});
  EXPECT_EQ(tour.exit_code, 0) << tour;
  EXPECT_THAT(tour.out, HasSubstr("stopped: done\nstarted: done\n"));
  EXPECT_THAT(tour.out, HasSubstr(absl::StrCat("ran: ", name, "-1, exit status 0\n")));
  EXPECT_THAT(tour.out, HasSubstr("removed: done\nremoved: done\n"));
  EXPECT_EQ(Run("ls -q").out, "");
}

TEST_P(ClientsTest, SayWhatWentWrong) {
  const Outcome unknown = Tour({}, {"t", "nosuch"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("NOT_FOUND DRIVER_NOT_FOUND"));
}

INSTANTIATE_TEST_SUITE_P(Languages, ClientsTest, testing::ValuesIn(Languages()),
                         [](const auto& each) { return each.param.name; });

class SharedClientsTest : public SharedTest, public testing::WithParamInterface<Language> {
 protected:
  void SetUp() override {
    if (!Prepared(GetParam().name)) {
      GTEST_SKIP() << "no " << GetParam().name << " client: see tests/clients/README.md";
    }
    world_.SetEnv("PYTHONPATH", Folder() + "/python/stubs");
    Start();
  }

  // As `user` with this role, by the certificate that the user has got.
  Outcome TourAs(absl::string_view user, absl::string_view role) {
    StoreOf(user, role);
    std::vector<std::string> flags = BlockedFlags();
    for (const char* const kind : {"ca", "cert", "key"}) {
      flags.insert(flags.end(),
                   {absl::StrCat("--", kind), Credential(user, absl::StrCat(kind, ".pem"))});
    }
    return world_.RunOther(
        TourOf(GetParam(), flags, address(), {"t", "none", "url=tcp://127.0.0.1:2376"}));
  }
};

TEST_P(SharedClientsTest, TakeTheTourWithTheCertificateOfAnOperator) {
  const Outcome tour = TourAs("olga", "operator");
  EXPECT_EQ(tour.exit_code, 0) << tour;
  EXPECT_EQ(tour.out, kTourOfUrls);
}

TEST_P(SharedClientsTest, AreRefusedWithTheCertificateOfAViewer) {
  const Outcome tour = TourAs("victor", "viewer");
  EXPECT_EQ(tour.exit_code, 1);
  EXPECT_EQ(tour.out, "");
  EXPECT_THAT(tour.err, HasSubstr("PERMISSION_DENIED"));
  EXPECT_THAT(tour.err, HasSubstr("victor (viewer) may not CreateMachine"));
}

INSTANTIATE_TEST_SUITE_P(Languages, SharedClientsTest, testing::ValuesIn(Languages()),
                         [](const auto& each) { return each.param.name; });

// The lines of the first block of `language` in a Markdown file.
std::string CodeBlock(const std::string& path, absl::string_view language) {
  const absl::StatusOr<std::string> text = common::ReadFile(path);
  EXPECT_TRUE(text.ok()) << text.status();
  const std::string fence = absl::StrCat("```", language, "\n");
  const size_t begin = text->find(fence) + fence.size();
  return text->substr(begin, text->find("```", begin) - begin);
}

class ApiFrontPageTest : public WorldTest {};

TEST_F(ApiFrontPageTest, ExamplesRunAsTheyStand) {
  if (!Prepared("grpcurl")) GTEST_SKIP() << "no grpcurl: see tests/clients/README.md";
  ASSERT_EQ(Run("ls").exit_code, 0);  // which starts the orchestrator
  const std::string script = absl::StrCat("set -euo pipefail; PATH=", Folder(), "/grpcurl:$PATH\n",
                                          CodeBlock("proto/README.md", "sh"));
  const Outcome examples = world_.RunOther({"bash", "-c", script});
  EXPECT_EQ(examples.exit_code, 0) << examples;
  EXPECT_THAT(examples.out, HasSubstr("machine.v1.Machines.CreateMachine\n"));
  EXPECT_THAT(examples.out, HasSubstr("\"verb\": \"create\""));
  EXPECT_THAT(examples.out, HasSubstr("\"done\": true"));
  EXPECT_THAT(examples.out, HasSubstr("\"name\": \"machines/demo\""));
  EXPECT_THAT(examples.out, HasSubstr("\"verb\": \"delete\""));
  EXPECT_TRUE(Eventually(absl::Minutes(1), [&] { return Run("ls -q").out.empty(); }));
}

class ToyDriverTest : public WorldTest {
 protected:
  void SetUp() override {
    if (!Prepared("python")) GTEST_SKIP() << "no python client: see tests/clients/README.md";
    world_.SetEnv("PYTHONPATH", Folder() + "/python/stubs");
    auto driver = common::Process::Spawn(
        {.argv = {Folder() + "/python/bin/python", "tests/clients/python/toy_driver.py"},
         .env = world_.Environment(),
         .stdout_to = common::Stdio::Pipe()});
    ASSERT_TRUE(driver.ok()) << driver.status();
    driver_.emplace(*std::move(driver));
    char c = 0;
    while (read(driver_->stdout_fd().get(), &c, 1) == 1 && c != '\n') address_ += c;
  }

  std::optional<common::Process> driver_;  // killed when it goes
  std::string address_;
};

TEST_F(ToyDriverTest, PassesTheConformanceSuiteFromOutside) {
  const Outcome suite =
      world_.RunOther({"drivers/sdk/conformance/machine-driver-conformance", address_, "--flag",
                       "toy-token=planted", "--different-flag", "toy-token=planted",
                       "--different-flag", "toy-size=large"});
  EXPECT_EQ(suite.exit_code, 0) << suite;
  EXPECT_THAT(suite.out, HasSubstr("ok   creates a machine\n"));
  EXPECT_THAT(suite.out, HasSubstr("ok   keeps secrets\n"));
}

}  // namespace
}  // namespace machine::tests
