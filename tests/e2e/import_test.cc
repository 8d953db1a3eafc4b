// A machine that another docker-machine made, taken over with its engine and its certificates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "tests/e2e/bed.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;

constexpr char kEngineStart[] = "systemctl show docker.service -p ExecMainStartTimestampMonotonic";

class ImportTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!Bed::Ready()) GTEST_SKIP() << kNoBed;
  }

  static Outcome Docker(const World& world, absl::string_view words) {
    return world.RunOther(
        {"bash", "-euc", absl::StrCat("docker $(docker-machine config one) ", words)});
  }
};

TEST_F(ImportTest, TheEngineIsUsedOnItsStoresAuthorityUntilItGetsOurs) {
  const Bed bed;
  const BareHost host(bed, "e2e-import");
  ASSERT_NE(host.ip(), "");
  World theirs;
  const Outcome created =
      theirs.Run(absl::StrCat("create -d generic --generic-ip-address=", host.ip(),
                              " --generic-ssh-user=root --generic-ssh-key=", bed.key(), " one"));
  ASSERT_EQ(created.exit_code, 0) << created;
  const std::string store = theirs.Path("store");
  ASSERT_EQ(theirs.Run(absl::StrCat("export ", store)).exit_code, 0);
  const std::string started = host.Sh(kEngineStart);

  // The other docker-machine asks an engine with server.pem whether it answers.
  const std::string folder = store + "/machines/one";
  const Outcome asked = theirs.RunOther(
      {"curl", "-s", "--cacert", folder + "/ca.pem", "--cert", folder + "/server.pem", "--key",
       folder + "/server-key.pem", absl::StrCat("https://", host.ip(), ":2376/_ping")});
  EXPECT_EQ(asked.out, "OK") << asked;
  EXPECT_THAT(common::ReadFile(folder + "/config.json").value_or(""),
              HasSubstr("\"InstallURL\": \"https://get.docker.com\""));

  World ours;
  const Outcome imported = ours.Run(absl::StrCat("import --yes ", store));
  EXPECT_EQ(imported.exit_code, 0) << imported;
  EXPECT_EQ(ours.Run("status one").out, "Running\n");
  const Outcome version = Docker(ours, "version --format '{{.Server.Os}}'");
  EXPECT_EQ(version.out, "linux\n") << version;
  const Outcome ssh = ours.Run("ssh one hostname");
  EXPECT_EQ(ssh.exit_code, 0) << ssh;
  EXPECT_EQ(host.Sh(kEngineStart), started) << "an import does not touch the host";

  const Outcome renewed = ours.Run("regenerate-certs -f one");
  EXPECT_EQ(renewed.exit_code, 0) << renewed;
  EXPECT_EQ(Docker(ours, "version --format '{{.Server.Os}}'").out, "linux\n");
  EXPECT_NE(Docker(theirs, "version --format '{{.Server.Os}}'").exit_code, 0)
      << "the engine trusts our authority now, and no other";
  EXPECT_NE(common::ReadFile(ours.machine_folder("one") + "/ca.pem").value_or("ours"),
            common::ReadFile(theirs.machine_folder("one") + "/ca.pem").value_or("theirs"));
  const Outcome removed = ours.Run("rm -y one");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  ours.End();
  theirs.End();
}

}  // namespace
}  // namespace machine::tests
