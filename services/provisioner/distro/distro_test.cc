#include "services/provisioner/distro/distro.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

Facts HostOf(absl::string_view os_id, absl::string_view os_name) {
  Facts facts;
  facts.os_id = std::string(os_id);
  facts.os_name = std::string(os_name);
  facts.init = "systemd";
  return facts;
}

struct KnownCase {
  absl::string_view os_id;
  absl::string_view name;
  absl::string_view engine_packages;
};

class KnownDistroTest : public testing::TestWithParam<KnownCase> {};

TEST_P(KnownDistroTest, HasItsPackages) {
  const KnownCase& c = GetParam();
  const absl::StatusOr<Distro> distro = FindDistro(HostOf(c.os_id, ""));
  ASSERT_TRUE(distro.ok()) << distro.status();
  EXPECT_EQ(distro->name, c.name);
  EXPECT_EQ(distro->engine_packages, c.engine_packages);
}

INSTANTIATE_TEST_SUITE_P(Ids, KnownDistroTest,
                         testing::ValuesIn<KnownCase>({
                             {"debian", "debian", "docker.io"},
                             {"ubuntu", "ubuntu(systemd)", "docker.io"},
                             {"fedora", "fedora", "moby-engine docker-ce"},
                             {"rhel", "redhat", "docker-ce"},
                             {"centos", "centos", "docker-ce"},
                             {"rocky", "rocky", "docker-ce"},
                             {"almalinux", "almalinux", "docker-ce"},
                             {"ol", "oraclelinux", "docker-engine docker-ce"},
                             {"amzn", "amazonlinux", "docker"},
                             {"sles", "sles", "docker"},
                             {"opensuse-leap", "openSUSE", "docker"},
                             {"opensuse-tumbleweed", "openSUSE", "docker"},
                             {"arch", "arch", "docker"},
                             {"boot2docker", "boot2docker", ""},
                         }),
                         [](const auto& info) {
                           return absl::StrReplaceAll(info.param.os_id, {{"-", "_"}});
                         });

constexpr char kSupported[] =
    "debian, ubuntu, fedora, rhel, centos, rocky, almalinux, ol, amzn, sles, opensuse-leap, "
    "opensuse-tumbleweed, opensuse, arch, archarm, boot2docker";

TEST(FindDistroTest, NamesAnUnknownOne) {
  const absl::Status status = FindDistro(HostOf("alpine", "Alpine Linux v3.20")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_UNSUPPORTED_HOST);
  EXPECT_EQ(status.message(),
            absl::StrCat("unsupported operating system \"alpine\" (Alpine Linux v3.20); "
                         "supported: ",
                         kSupported));
  EXPECT_EQ(common::ErrorMetadataOf(status, "os_id"), "alpine");
}

TEST(FindDistroTest, AHostWithoutOsReleaseHasNoName) {
  EXPECT_EQ(FindDistro(HostOf("", "")).status().message(),
            absl::StrCat("unsupported operating system \"\"; supported: ", kSupported));
}

TEST(FindDistroTest, NeedsSystemd) {
  Facts facts = HostOf("debian", "Debian");
  facts.init = "init";
  const absl::Status status = FindDistro(facts).status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_UNSUPPORTED_HOST);
  EXPECT_EQ(common::ErrorMetadataOf(status, "init"), "init");
}

TEST(FindDistroTest, Boot2dockerHasAnInitOfItsOwn) {
  Facts facts = HostOf("boot2docker", "Boot2Docker 19.03.12");
  facts.init = "init";
  const absl::StatusOr<Distro> distro = FindDistro(facts);
  ASSERT_TRUE(distro.ok()) << distro.status();
  EXPECT_EQ(distro->init, Init::kBoot2docker);
}

TEST(DistrosTest, EveryEntryIsComplete) {
  for (const Distro& distro : Distros()) {
    EXPECT_FALSE(distro.name.empty());
    EXPECT_FALSE(distro.os_id.empty());
    if (distro.init == Init::kBoot2docker) continue;  // Comes with its engine.
    EXPECT_FALSE(distro.engine_packages.empty()) << distro.name;
    EXPECT_FALSE(distro.package_manager.empty()) << distro.name;
  }
}

}  // namespace
}  // namespace machine::provisioner
