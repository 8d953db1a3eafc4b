#include "services/provisioner/distro/distro.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(FindDistroTest, KnowsDebianAndUbuntu) {
  EXPECT_EQ(FindDistro(HostOf("debian", ""))->name, "debian");
  EXPECT_EQ(FindDistro(HostOf("ubuntu", ""))->name, "ubuntu(systemd)");
  EXPECT_EQ(FindDistro(HostOf("ubuntu", ""))->engine_package, "docker.io");
}

TEST(FindDistroTest, NamesAnUnknownOne) {
  const absl::Status status = FindDistro(HostOf("alpine", "Alpine Linux v3.20")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_UNSUPPORTED_HOST);
  EXPECT_EQ(status.message(),
            "unsupported operating system \"alpine\" (Alpine Linux v3.20); supported: debian, "
            "ubuntu");
  EXPECT_EQ(common::ErrorMetadataOf(status, "os_id"), "alpine");
}

TEST(FindDistroTest, AHostWithoutOsReleaseHasNoName) {
  EXPECT_EQ(FindDistro(HostOf("", "")).status().message(),
            "unsupported operating system \"\"; supported: debian, ubuntu");
}

TEST(FindDistroTest, NeedsSystemd) {
  Facts facts = HostOf("debian", "Debian");
  facts.init = "init";
  const absl::Status status = FindDistro(facts).status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_UNSUPPORTED_HOST);
  EXPECT_EQ(common::ErrorMetadataOf(status, "init"), "init");
}

TEST(DistrosTest, EveryEntryIsComplete) {
  for (const Distro& distro : Distros()) {
    EXPECT_FALSE(distro.name.empty());
    EXPECT_FALSE(distro.os_id.empty());
    EXPECT_FALSE(distro.engine_package.empty()) << distro.name;
    EXPECT_FALSE(distro.packages_script.empty()) << distro.name;
  }
}

}  // namespace
}  // namespace machine::provisioner
