// Which options are refused, and what is said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/google/catalog.h"
#include "drivers/google/settings.h"
#include "drivers/google/test_google.h"
#include "drivers/sdk/conformance/cloud_options_suite.h"

namespace machine::driver::gce {
namespace {

using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using List = std::vector<std::string>;

class GoogleOptions final : public GoogleCloud {
 public:
  static std::vector<CheckRow> Checks() {
    return {
        {"Defaults", {Option(kZoneFlag, "us-central1-a")}, {}},
        {"UnknownZone",
         {Option(kZoneFlag, "mars-a")},
         {"--google-zone", "\"mars-a\"; there are europe-west1-b, us-central1-a"}},
        {"ZoneThatIsDown", {Option(kZoneFlag, "us-west9-z")}, {"there are europe-west1-b"}},
        {"UnknownType",
         {Option(kMachineTypeFlag, "xxl")},
         {"--google-machine-type", "machine type in zone us-central1-a", "e2-micro"}},
        {"SmallTypeOfOld", {Option(kMachineTypeFlag, "f1-micro")}, {}},
        {"CustomType", {Option(kMachineTypeFlag, "e2-custom-2-4096")}, {}},
        {"RenamedType", {Option(kMachineTypeFlag, "n1-megamem-96")}, {}},
        {"ScratchDiskType",
         {Option(kMachineTypeFlag, "n1-standard-1-d")},
         {"--google-machine-type", "are gone; use n1-standard-1"}},
        {"WithdrawnType",
         {Option(kMachineTypeFlag, "a0-old")},
         {"--google-machine-type", "withdrawn by Google; use e2-micro"}},
        {"UnknownImage",
         {Option(kImageFlag, "ubuntu-os-cloud/beos")},
         {"--google-machine-image", "in project ubuntu-os-cloud", "ubuntu-2404-lts-amd64"}},
        {"ImageOfAnotherArchitecture", {Option(kImageFlag, "arm")}, {"is for ARM", "is x86-64"}},
        {"ImageLargerThanTheDisk",
         {Option(kImageFlag, "my-image")},
         {"--google-disk-size", "needs 50 GB"},
         "--google-disk-size"},
        {"RetiredImage",
         {Option(kImageFlag, "ubuntu-os-cloud/global/images/ubuntu-1604-xenial-v20210928")},
         {"--google-machine-image", "too old for today's engine", "Ubuntu 24.04"}},
        {"WithdrawnImage",
         {Option(kImageFlag, "ubuntu-os-cloud/ubuntu-2110-impish-v20220101")},
         {"withdrawn by Google; use ubuntu-2204-jammy"}},
        {"Family", {Option(kImageFlag, "ubuntu-os-cloud/ubuntu-2204-lts")}, {}},
        {"ImageByUrl",
         {Option(kImageFlag,
                 "https://www.googleapis.com/compute/v1/projects/ubuntu-os-cloud/global/images/"
                 "family/ubuntu-2204-lts")},
         {}},
        {"UnknownDiskType",
         {Option(kDiskTypeFlag, "floppy")},
         {"--google-disk-type", "pd-balanced, pd-ssd, pd-standard"}},
        {"UnknownNetwork",
         {Option(kNetworkFlag, "nowhere")},
         {"--google-network", "there are custom, default"}},
        {"NetworkWithoutAutomaticSubnetworks",
         {Option(kNetworkFlag, "custom")},
         {"--google-subnetwork", "there are sub1"},
         "--google-subnetwork"},
        {"UnknownSubnetwork", {Option(kSubnetworkFlag, "sub9")}, {"--google-subnetwork", "sub9"}},
        {"RuleOfASharedNetwork",
         {Option(kNetworkFlag, "projects/host-project/global/networks/shared")},
         {"--google-open-cidr none", "host-project"},
         "--google-open-cidr"},
        {"UnknownAddress",
         {Option(kAddressFlag, "mine")},
         {"--google-address", "address in region us-central1"}},
        {"UnknownProject",
         {Option(kProjectFlag, "other-project")},
         {"--google-project", "not there"}},
        {"NothingToAdopt",
         {BoolOption(kUseExistingFlag, true)},
         {"--google-use-existing", "no instance in zone us-central1-a \"dev-one\""}},
        {"CodeOfTheOldSignIn",
         {SecretOption(kTokenFlag, "4/0AX4XfWh-code")},
         {"--google-auth-token", "(OOB)", "2023-01-31", "--google-application-credentials"}},
        {"RefreshToken",
         {SecretOption(kTokenFlag, "1//0g-refresh")},
         {"--google-auth-token", "OOB"}},
    };
  }
  static std::vector<BadOptionRow> BadOptions() {
    return {
        {"ProjectWithASlash", {Option(kProjectFlag, "a/../b")}},
        {"TokenWithALineEnd", {SecretOption(kTokenFlag, "abc\nX-Evil: 1")}},
        {"CredentialsThatAreNone",
         {SecretOption(kCredentialsTextFlag, "{}"), SecretOption(kTokenFlag, "")}},
        {"ZoneWithASlash", {Option(kZoneFlag, "a/b")}},
        {"TypeWithASlash", {Option(kMachineTypeFlag, "a/b")}},
        {"ImageWithAQuery", {Option(kImageFlag, "a/b?c")}},
        {"DiskTooSmall", {Option(kDiskSizeFlag, 5)}},
        {"RootAsUser", {Option(kUsernameFlag, "root")}},
        {"UserWithAColon", {Option(kUsernameFlag, "a:b")}},
        {"NetworkOfAnotherKind", {Option(kNetworkFlag, "projects/p/global/images/n")}},
        {"SubnetworkOfAnotherRegion",
         {Option(kSubnetworkFlag, "projects/p/regions/europe-west1/subnetworks/n")}},
        {"TagWithASpace", {Option("google-tags", List{"a b"})}},
        {"LabelWithoutKey", {Option("google-labels", List{"=b"})}},
        {"LabelInUpperCase", {Option("google-labels", List{"a=B"})}},
        {"LabelOfOurs", {Option("google-labels", List{"machine-uid=x"})}},
        {"CidrWithoutBits", {Option(kOpenCidrFlag, List{"10.0.0.1"})}},
        {"CidrOfIpv6", {Option(kOpenCidrFlag, List{"::/0"})}},
        {"PortTooHigh", {Option("google-open-port", List{"70000"})}},
        {"PortOfAnotherProtocol", {Option("google-open-port", List{"22/icmp"})}},
        {"PlainHttp", {Option("google-endpoint", "http://compute.example.com")}},
        {"TooMuchUserData", {Option("google-userdata-text", std::string(300'000, 'x'))}},
    };
  }
};
INSTANTIATE_CLOUD_OPTIONS_SUITE(GoogleOptions);

class GoogleOptionsTest : public GoogleTest {};

TEST_F(GoogleOptionsTest, WarnsOfOldNamesOpenDoorsAndLittleMemory) {
  EXPECT_TRUE(
      driver_.PreCreateCheck(*Call(), Machine({Option(kMachineTypeFlag, "n1-megamem-96")})).ok());
  EXPECT_THAT(record_.log,
              ElementsAre(HasSubstr("now called m1-megamem-96"), HasSubstr("whole internet")));
  record_.log.clear();
  EXPECT_TRUE(driver_
                  .PreCreateCheck(*Call(), Machine({Option(kMachineTypeFlag, "f1-micro"),
                                                    Option(kOpenCidrFlag, List{"10.0.0.0/8"})}))
                  .ok());
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("less than 1 GiB")));
}

TEST_F(GoogleOptionsTest, NoCredentialsAtAllNameTheWays) {
  const absl::Status status =
      driver_.PreCreateCheck(*Call(), Machine({SecretOption(kTokenFlag, "")}));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()), HasSubstr("OOB"));
}

TEST_F(GoogleOptionsTest, AFileThatTheEnvironmentNamesDoesNotMatterBesideAToken) {
  const MachineSpec machine =
      Machine({SecretOption(kCredentialsTextFlag, R"({"type":"external_account"})")});
  const absl::Status status = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(OptionsTogetherTest, ContradictionsAreRefused) {
  const GoogleDriver driver(FastTiming<Timing>(), Surroundings());
  const std::vector<std::vector<OptionValue>> contradictions = {
      {BoolOption("google-use-internal-ip-only", true), Option(kAddressFlag, "mine")},
      {BoolOption("google-use-internal-ip-only", true), BoolOption("google-static-address", true)},
      {BoolOption("google-static-address", true), Option(kAddressFlag, "mine")}};
  for (std::vector<OptionValue> values : contradictions) {
    values.push_back(Option(kProjectFlag, "my-project"));
    EXPECT_EQ(MakeOptions(driver, values).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(SmallestUsableTest, IsCheapAndOrdinary) {
  const std::vector<MachineType> types = {
      {.name = "f1-micro", .cpus = 1, .memory_mib = 614},
      {.name = "arm", .cpus = 8, .memory_mib = 1024, .arm = true},
      {.name = "gpu", .cpus = 8, .memory_mib = 1024, .has_accelerators = true},
      {.name = "old", .cpus = 8, .memory_mib = 1024, .deprecation = "DEPRECATED"},
      {.name = "e2-medium", .cpus = 2, .memory_mib = 4096},
      {.name = "e2-micro", .cpus = 2, .memory_mib = 1024},
      {.name = "one", .cpus = 1, .memory_mib = 1024}};
  EXPECT_EQ(SmallestUsable(types)->name, "e2-micro");
  EXPECT_FALSE(SmallestUsable(absl::MakeSpan(types).first(4)).has_value());
}

}  // namespace
}  // namespace machine::driver::gce
