// What users get wrong: each row gives one clear error, the right exit code, and changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

constexpr char kNobody[] =
    "Docker machine \"nope\" does not exist. Use \"docker-machine ls\" to list machines. Use "
    "\"docker-machine create\" to add a new one.";
constexpr char kBadName[] =
    "Error creating machine: Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . "
    "-";

// As a line of create with something wrong in its flags.
std::string BadOption(absl::string_view what) {
  return absl::StrCat("Error setting machine configuration from flags provided: ", what);
}

struct BadInputCase {
  const char* label;
  std::string line;
  /// The whole of standard error, but for the line's end.
  std::string err;
  /// How standard output begins; it is empty where this is.
  std::string out = "";
};
void PrintTo(const BadInputCase& c, std::ostream* stream) { *stream << c.line; }

class BadInputTest : public testing::TestWithParam<BadInputCase> {
 protected:
  // All rows read one world, in which machine "dev" is.
  static void SetUpTestSuite() {
    shared_ = new World;
    const Outcome made = shared_->Run("create -d none --url=tcp://127.0.0.1:1 dev");
    ASSERT_EQ(made.exit_code, 0) << made;
  }
  static void TearDownTestSuite() {
    shared_->End();
    delete shared_;
    shared_ = nullptr;
  }

  static World* shared_;
};
World* BadInputTest::shared_ = nullptr;

TEST_P(BadInputTest, IsRefusedInClearWords) {
  const BadInputCase& c = GetParam();
  const Outcome outcome = shared_->Run(c.line);
  EXPECT_EQ(outcome.exit_code, 1) << outcome;
  EXPECT_EQ(outcome.err, absl::StrCat(c.err, "\n"));
  if (c.out.empty()) {
    EXPECT_EQ(outcome.out, "");
  } else {
    EXPECT_THAT(outcome.out, StartsWith(c.out));
  }
  EXPECT_EQ(shared_->Run("ls -q").out, "dev\n");
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BadInputTest,
    testing::ValuesIn<BadInputCase>({
        {"UnknownCommand", "bogus",
         "docker-machine: 'bogus' is not a docker-machine command. See 'docker-machine --help'."},
        {"UnknownFlagOfACommand", "ls --bogus", "flag provided but not defined: -bogus",
         "Incorrect Usage.\n\nUsage: docker-machine ls [OPTIONS]"},
        {"UnknownFlagOfTheProgram", "--bogus ls", "flag provided but not defined: -bogus",
         "Incorrect Usage.\n\nUsage: docker-machine [OPTIONS] COMMAND"},
        {"FlagOfAnotherDriver", "create -d none --generic-ip-address=192.0.2.1 x",
         "flag provided but not defined: -generic-ip-address", "Incorrect Usage.\n"},
        {"UnknownDriver", "create -d bogus x",
         "Driver \"bogus\" not found. Do you have the plugin binary "
         "\"docker-machine-driver-bogus\" accessible in your PATH?"},
        {"DriverWithAPathAsName", "create -d ../none x",
         "Driver \"../none\" not found. Do you have the plugin binary "
         "\"docker-machine-driver-../none\" accessible in your PATH?"},
        {"UnknownFilterKey", "ls --filter foo=bar", "Unsupported filter key 'foo'"},
        {"FilterWithoutEquals", "ls --filter foo", "Unsupported filter syntax"},
        {"TimeoutInWords", "active --timeout=soon",
         "invalid value \"soon\" for flag -timeout: a whole number is wanted",
         "Incorrect Usage.\n"},
        {"FormatThatCannotBeRead", "ls --format {{.Name",
         "template parsing error: unclosed action"},
        {"CreateWithoutAName", "create -d none --url=tcp://127.0.0.1:1",
         "Error: No machine name specified", "Usage: docker-machine create"},
        {"CreateOfTwo", "create -d none --url=tcp://127.0.0.1:1 a b",
         "Invalid command line. Found extra arguments [b]"},
        {"CreateWithoutADriver", "create x",
         "Error creating machine: no driver was chosen. Available drivers: docker, generic, none. "
         "For example: docker-machine create -d docker x"},
        {"NameThatExists", "create -d none --url=tcp://127.0.0.1:1 dev",
         "Docker machine \"dev\" already exists"},
        {"NameWithAnUnderscore", "create -d none --url=tcp://127.0.0.1:1 a_b", kBadName},
        {"NameThatIsAPath", "create -d none --url=tcp://127.0.0.1:1 ../x", kBadName},
        {"NameOfDots", "create -d none --url=tcp://127.0.0.1:1 ..", kBadName},
        {"NameThatBeginsWithADash", "create -d none --url=tcp://127.0.0.1:1 -- -x", kBadName},
        {"NameThatIsNotAscii", "create -d none --url=tcp://127.0.0.1:1 m\xC3\xBCsli", kBadName},
        {"UrlWithoutAScheme", "create -d none --url=127.0.0.1:2375 x",
         BadOption("--url: \"127.0.0.1:2375\" is not of the form tcp://HOST:PORT")},
        {"UrlThatIsNoUrl", "create -d none --url=nonsense x",
         BadOption("--url: \"nonsense\" is not of the form tcp://HOST:PORT")},
        {"MissingDriverFlagIsNamed", "create -d none x",
         BadOption("none driver requires the --url option")},
        {"MissingDriverFlagIsNamedWithItsVariable", "create -d generic x",
         BadOption(
             "generic driver requires the --generic-ip-address option (or the environment variable "
             "GENERIC_IP_ADDRESS)")},
        {"KeyFileThatIsNotThere",
         "create -d generic --generic-ip-address=192.0.2.1 --generic-ssh-key=/nope/key x",
         BadOption(
             "the file of --generic-ssh-key cannot be read: opening /nope/key: No such file or "
             "directory")},
        {"StorageDriverThatNoLongerExists",
         "create --engine-storage-driver=aufs -d none --url=tcp://127.0.0.1:1 x",
         "Error creating machine: the storage driver aufs no longer exists in the engine; leave "
         "--engine-storage-driver out, or use overlay2"},
        {"LabelWithoutAValue", "create --engine-label=front -d none --url=tcp://127.0.0.1:1 x",
         "Error creating machine: the label \"front\" (--engine-label) is not KEY=VALUE"},
        {"VariableOfTheEngineWithoutAName",
         "create --engine-env==x -d none --url=tcp://127.0.0.1:1 x",
         "Error creating machine: the variable \"=x\" (--engine-env) is not NAME=VALUE"},
        {"MirrorThatIsNoUrl",
         "create --engine-registry-mirror=m.lan -d none --url=tcp://127.0.0.1:1 x",
         "Error creating machine: the mirror \"m.lan\" (--engine-registry-mirror) is no http:// or "
         "https:// URL"},
        {"NameOfTheCertificateThatIsAUrl",
         "create --tls-san=https://dev.lan/ -d none --url=tcp://127.0.0.1:1 x",
         "Error creating machine: \"https://dev.lan/\" (--tls-san) is neither a name nor an "
         "address"},
        {"NameThatIsTooLong",
         absl::StrCat("create -d none --url=tcp://127.0.0.1:1 ", std::string(129, 'a')),
         "Error creating machine: Invalid hostname specified. It has 129 characters, 128 are "
         "possible"},
        {"OnFailureThatIsNeither", "create -d none --url=tcp://127.0.0.1:1 --on-failure=explode x",
         "invalid value \"explode\" for --on-failure: keep or rollback"},
        {"SshTimeoutWithoutAUnit", "create -d none --url=tcp://127.0.0.1:1 --ssh-timeout=5 x",
         "invalid value \"5\" for --ssh-timeout: for example 90s or 5m"},
        {"SwarmDiscoveryWithoutAScheme",
         "create -d none --url=tcp://127.0.0.1:1 --swarm --swarm-discovery=nonsense x",
         "Error parsing swarm discovery: Swarm Discovery URL was in the wrong format"},
        {"StatusOfNobody", "status nope", kNobody},
        {"UrlOfNobody", "url nope", kNobody},
        {"EnvOfNobody", "env nope", kNobody},
        {"SshToNobody", "ssh nope true", kNobody},
        {"StopOfNobody", "stop nope", kNobody},
        {"UrlOfTwo", "url dev dev", "Error: Expected one machine name as an argument"},
        {"UrlOfNoName", "url",
         "Error: No machine name(s) specified and no \"default\" machine exists"},
        {"RmOfNoName", "rm", "Error: Expected to get one or more machine names as arguments",
         "Usage: docker-machine rm"},
        {"ActiveWithAnArgument", "active x", "Error: Too many arguments given"},
        {"EnvWithUnsetAndAName", "env -u dev",
         "Error: Expected no machine name when the -u flag is present"},
    }),
    [](const testing::TestParamInfo<BadInputCase>& info) { return std::string(info.param.label); });

class BadKeyTest : public WorldTest {};

TEST_F(BadKeyTest, KeyFileThatHoldsNoKeyIsNamed) {
  const std::string path = world_.Path("no-key");
  ASSERT_EQ(world_.RunOther({"sh", "-c", "echo nonsense > " + path}).exit_code, 0);
  const Outcome made = Run(absl::StrCat(
      "create -d generic --generic-ip-address=192.0.2.1 --generic-ssh-key=", path, " x"));
  EXPECT_EQ(made.exit_code, 1);
  EXPECT_EQ(made.err, absl::StrCat("Error creating machine: the key ", path,
                                   " of --generic-ssh-key: not a private key in PEM form\n"));
  EXPECT_EQ(Run("ls -q").out, "");
}

TEST_F(BadKeyTest, KeyWithAPassphraseSaysToUseAnAgent) {
  const std::string path = world_.Path("locked");
  ASSERT_EQ(
      world_.RunOther({"ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", path}).exit_code,
      0);
  const Outcome made = Run(absl::StrCat(
      "create -d generic --generic-ip-address=192.0.2.1 --generic-ssh-key=", path, " x"));
  EXPECT_EQ(made.exit_code, 1);
  EXPECT_THAT(made.err, EndsWith("has a passphrase: load it into an ssh agent and leave the option "
                                 "out\n"));
}

}  // namespace
}  // namespace machine::tests
