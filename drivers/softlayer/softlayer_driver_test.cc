#include "drivers/softlayer/softlayer_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/cloud_options_suite.h"
#include "drivers/sdk/conformance/cloud_suite.h"
#include "drivers/softlayer/machine_instance.h"
#include "drivers/softlayer/settings.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"
#include "tests/fakes/softlayer/fake_softlayer.h"

namespace machine::driver::softlayer {
namespace {

using fakes::FakeSoftLayer;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Strings = std::vector<std::string>;

constexpr char kCreate[] = "POST /rest/v3.1/SoftLayer_Virtual_Guest/createObject";
constexpr char kList[] = "GET /rest/v3.1/SoftLayer_Account/getVirtualGuests";
constexpr char kOfGuest[] = "GET /rest/v3.1/SoftLayer_Virtual_Guest/{id}/{method}";
constexpr char kChoices[] = "GET /rest/v3.1/SoftLayer_Virtual_Guest/getCreateObjectOptions";

class SoftLayerCloud final : public CloudOf<FakeSoftLayer, SoftLayerDriver> {
 public:
  SoftLayerCloud()
      : CloudOf(std::make_unique<FakeSoftLayer>(),
                std::make_unique<SoftLayerDriver>(FastTiming<Timing>())) {}

  CloudFacts Facts() const override {
    return {.create = kCreate,
            .stop = kOfGuest,
            .start = kOfGuest,
            .before_power = 1,  // A look.
            .wrong_credentials = SecretOption(kApiKeyFlag, "wrong-key"),
            .refusal = {"--softlayer-api-key"},
            .check_reads = {kChoices},
            // Three pages of 100, and once more for the one that is missing.
            .batch = {.machines = 250, .requests = 6},
            .killed = {.route = kList, .after = 1, .reply_lost = true},
            .may_make_twice = true,
            .requests_of_a_life = 20};
  }
  std::vector<OptionValue> Account() override {
    return {Option(kUserFlag, FakeSoftLayer::kUser),
            SecretOption(kApiKeyFlag, FakeSoftLayer::kApiKey),
            Option("softlayer-domain", "example.com"), Option(kEndpointFlag, fake->endpoint())};
  }
  std::vector<OptionValue> PartsToFail() override {
    return {Option(kOpenCidrFlag, Strings{"203.0.113.0/24"})};
  }

  std::vector<std::string> Instances() override { return fake->GuestNames(); }
  void ExpectNothingLeft() override {
    EXPECT_THAT(fake->GuestNames(), IsEmpty());
    EXPECT_THAT(fake->KeyLabels(), IsEmpty());
    EXPECT_THAT(fake->SecurityGroupNames(), IsEmpty());
  }
  bool Checked() override { return fake->checked(); }

  void HoldShutdown(bool hold) override { fake->IgnoreStop(hold); }
  void ReachLimit() override {
    fake->RefuseOrders("SoftLayer_Exception_Public", "The quota of virtual guests is reached.");
  }
  void AddInstances(int count) override {
    fake->AddGuests(count, "# docker-machine machine-uid-", "\n");
  }
  MachineState StateOf(absl::string_view word, absl::string_view) override {
    return StateOfGuest(word);
  }

  static std::vector<FaultRow> Faults() {
    using Kind = Fault::Kind;
    return Joined(
        CommonFaults({.create = kCreate, .list = kList, .poll = kOfGuest, .read = kChoices}),
        {
            {"LostKeyReply",
             {.kind = Kind::kLoseReply,
              .route = "POST /rest/v3.1/SoftLayer_Security_Ssh_Key/createObject"}},
            {"LostGroupReply",
             {.kind = Kind::kLoseReply,
              .route = "POST /rest/v3.1/SoftLayer_Network_SecurityGroup/createObject"}},
            {"LostRulesReply",
             {.kind = Kind::kLoseReply,
              .route = "POST /rest/v3.1/SoftLayer_Network_SecurityGroup/{id}/addRules"}},
            {"TagsFail",
             {.kind = Kind::kStatus,
              .route = "POST /rest/v3.1/SoftLayer_Virtual_Guest/{id}/setTags"}},
        });
  }
  static std::vector<FaultRow> RemoveFaults() {
    return CommonRemoveFaults(kOfGuest, kList, /*before=*/1);
  }
  static std::vector<StateRow> States() {
    return {
        {"RUNNING", machine::v1::MACHINE_STATE_RUNNING},
        {"HALTED", machine::v1::MACHINE_STATE_STOPPED},
        {"PAUSED", machine::v1::MACHINE_STATE_PAUSED},
        {"SUSPENDED", machine::v1::MACHINE_STATE_SAVED},
        {"PROVISIONING", machine::v1::MACHINE_STATE_STARTING},
        {"RECLAIMING", machine::v1::MACHINE_STATE_REMOVING},
        {"unknown", machine::v1::MACHINE_STATE_UNSPECIFIED},
    };
  }
  static std::vector<CheckRow> Checks() {
    return {
        {"UnknownRegion", {Option(kRegionFlag, "mars")}, {"\"mars\"; there are ams03, dal01"}},
        {"UnknownImage", {Option(kImageFlag, "BEOS_5")}, {"DEBIAN_12_64"}},
        {"UnknownCpus", {Option(kCpuFlag, int64_t{3})}, {"there are 1, 2, 4"}},
        {"UnknownMemory", {Option(kMemoryFlag, int64_t{1025})}, {"1024, 2048, 4096"}},
        {"UnknownDisk", {Option(kDiskFlag, int64_t{26})}, {"there are 100, 25"}},
        {"UnknownPublicVlan", {Option(kPublicVlanFlag, int64_t{7})}, {"501, 502"}},
        {"UnknownPrivateVlan",
         {Option(kPrivateVlanFlag, int64_t{7})},
         {"--softlayer-private-vlan-id"}},
        {"UnknownKey", {Option(kKeyIdFlag, int64_t{7})}, {"--softlayer-ssh-key-id"}},
        {"RetiredImage", {Option(kImageFlag, "UBUNTU_14_64")}, {"newest Ubuntu LTS"}},
    };
  }
  static std::vector<BadOptionRow> BadOptions() {
    return {
        {"KeyWithALineEnd", {SecretOption(kApiKeyFlag, "abc\nX-Evil: 1")}},
        {"UserWithAColon", {Option(kUserFlag, "a:b")}},
        {"PlainHttp", {Option(kEndpointFlag, "http://api.example.com/rest/v3.1")}},
        {"Soap", {Option(kEndpointFlag, "https://api.softlayer.com/soap/v3")}},
        {"BadDomain", {Option("softlayer-domain", "nodots")}},
        {"BadHostname", {Option("softlayer-hostname", "a.b")}},
        {"BadTag", {Option("softlayer-tag", Strings{"a/b"})}},
        {"BadCidr", {Option(kOpenCidrFlag, Strings{"everybody"})}},
        {"TooMuchUserData", {Option("softlayer-userdata-text", std::string(20'000, 'x'))}},
    };
  }
  static std::vector<ImportRow> BadImports() {
    return {{"Empty", ""}, {"NoObject", "[]"}, {"NoId", R"({"Id": 0})"}};
  }
};
INSTANTIATE_CLOUD_SUITE(SoftLayerCloud);
INSTANTIATE_CLOUD_OPTIONS_SUITE(SoftLayerCloud);

class SoftLayerDriverTest : public CloudFixture<SoftLayerCloud> {};

TEST_F(SoftLayerDriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  EXPECT_EQ(fake_.CountOf("POST /rest/v3.1/SoftLayer_Virtual_Guest/generateOrderTemplate"), 1);
  EXPECT_THAT(record_.log, IsEmpty());
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["hostname"], "docker");
  EXPECT_EQ(asked["domain"], "example.com");
  EXPECT_EQ(asked["datacenter"]["name"], "dal01");
  EXPECT_EQ(asked["operatingSystemReferenceCode"], "UBUNTU_24_64");
  EXPECT_EQ(asked["startCpus"], 1);
  EXPECT_EQ(asked["maxMemory"], 1024);
  EXPECT_EQ(asked["hourlyBillingFlag"], true);
  EXPECT_EQ(asked["localDiskFlag"], false);
  EXPECT_FALSE(asked.contains("blockDevices"));
  EXPECT_EQ(asked["userData"][0]["value"], absl::StrCat("# docker-machine ", UidTag(kTestUid), " ",
                                                        OrchestratorTag(kTestOrchestrator), "\n"));
  EXPECT_EQ(fake_.LastTags(),
            absl::StrCat(UidTag(kTestUid), ",docker-machine,", OrchestratorTag(kTestOrchestrator)));
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 2);
  EXPECT_EQ(endpoint.ssh_user(), "root");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(SoftLayerDriverTest, CreatesWhatIsAskedFor) {
  const int64_t key = fake_.AddSshKey("mine", "ssh-rsa AAAA mine");
  MachineSpec machine = Machine(
      {Option(kRegionFlag, "AMS03"), Option(kCpuFlag, int64_t{2}),
       Option(kMemoryFlag, int64_t{4096}), Option(kDiskFlag, int64_t{101}),
       Option(kImageFlag, "DEBIAN_12_64"), Option("softlayer-hostname", "web"),
       BoolOption("softlayer-monthly-billing", true), BoolOption("softlayer-local-disk", true),
       Option(kPublicVlanFlag, int64_t{501}), Option(kPrivateVlanFlag, int64_t{502}),
       Option(kKeyIdFlag, key), Option("softlayer-tag", Strings{"a,b"}),
       Option(kOpenCidrFlag, Strings{"203.0.113.0/24"}),
       Option("softlayer-userdata-text", "#cloud-config")});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("by the month")));
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["hostname"], "web");
  EXPECT_EQ(asked["datacenter"]["name"], "ams03");
  EXPECT_EQ(asked["hourlyBillingFlag"], false);
  EXPECT_EQ(asked["localDiskFlag"], true);
  EXPECT_EQ(asked["blockDevices"][0]["diskImage"]["capacity"], 101);
  EXPECT_EQ(asked["primaryNetworkComponent"]["networkVlan"]["id"], 501);
  EXPECT_EQ(asked["primaryNetworkComponent"]["securityGroupBindings"].size(), 1u);
  EXPECT_EQ(asked["primaryBackendNetworkComponent"]["networkVlan"]["id"], 502);
  EXPECT_EQ(asked["sshKeys"].size(), 2u);
  EXPECT_THAT(asked["userData"][0]["value"].get<std::string>(),
              testing::StartsWith("#cloud-config\n# docker-machine machine-uid-"));
  EXPECT_THAT(fake_.Rules(),
              ElementsAre("ingress 22 203.0.113.0/24", "ingress 2376 203.0.113.0/24",
                          "ingress 3376 203.0.113.0/24", "egress 0 any", "egress 0 any"));
  EXPECT_THAT(fake_.LastTags(), testing::EndsWith(",a,b"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.GuestNames(), IsEmpty());
  EXPECT_THAT(fake_.SecurityGroupNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyLabels(), ElementsAre("mine"));
}

TEST_F(SoftLayerDriverTest, AMachineWithoutAPublicAddressIsReachedByItsPrivateOne) {
  MachineSpec machine = Machine({BoolOption("softlayer-private-net-only", true)});
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.LastCreate()["privateNetworkOnlyFlag"], true);
  EXPECT_THAT(made->endpoint().ssh_host(), testing::StartsWith("10."));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
}

TEST_F(SoftLayerDriverTest, AnImageTemplateIsOrderedByItsIdentifier) {
  constexpr char kTemplate[] = "6b7f1c1e-1111-4222-8333-444455556666";
  MachineSpec machine = Machine({Option(kImageFlag, kTemplate)});
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.LastCreate()["blockDeviceTemplateGroup"]["globalIdentifier"], kTemplate);
  EXPECT_FALSE(fake_.LastCreate().contains("operatingSystemReferenceCode"));
}

TEST_F(SoftLayerDriverTest, AKeyThatTheAccountHasIsUsedAndStays) {
  const int64_t key = fake_.AddSshKey("mine", absl::StrCat(kTestKey, " another comment"));
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.LastCreate()["sshKeys"], nlohmann::json::array({{{"id", key}}}));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.KeyLabels(), ElementsAre("mine"));
}

TEST_F(SoftLayerDriverTest, WhereTheDefaultTakesNoOrdersAnotherOfDallasIsTaken) {
  fake_.CloseDatacenter("dal01");
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.LastCreate()["datacenter"]["name"], "dal13");
}

TEST_F(SoftLayerDriverTest, AnOrderThatIsRefusedFailsTheCheck) {
  fake_.RefuseOrders("SoftLayer_Exception_Order_Item_Invalid", "The VLAN has no free addresses.");
  const absl::Status status = driver_.PreCreateCheck(*Call(), Machine());
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no free addresses"));
}

TEST_F(SoftLayerDriverTest, AMachineThatWasImportedIsKnownByItsId) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const int64_t key = fake_.AddSshKey("dev", "ssh-rsa BBBB dev");
  MachineSpec imported = Machine();
  imported.state_version = kImportedStateVersion;
  imported.state = absl::StrCat(R"({"Id": )", fake_.StripMarks(), R"(, "SSHKeyID": )", key, "}");
  const auto state = driver_.UpgradeState(*Call(), imported);
  ASSERT_TRUE(state.ok()) << state.status();
  imported.state = *state;
  imported.uid = "another";
  EXPECT_EQ(Inspect(imported), machine::v1::MACHINE_STATE_RUNNING);
  const auto seen = driver_.BatchInspect(*Call(), {imported});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->front().state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Remove(*Call(), imported).ok());
  EXPECT_THAT(fake_.GuestNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyLabels(), ElementsAre(UidTag(kTestUid)));
}

TEST_F(SoftLayerDriverTest, AnErrorThatComesWithStatus200IsOne) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.FailNextChange("Internal Error");
  const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), machine::v1::MACHINE_STATE_STOPPED);
  fake_.FailNextChange("This cancellation could not be processed please contact support.");
  EXPECT_EQ(driver_.Remove(*Call(), machine).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(fake_.GuestNames().size(), 1u);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(SoftLayerDriverTest, AListOfOneMayComeWithoutBrackets) {
  fake_.OmitBrackets();
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto seen = driver_.BatchInspect(*Call(), {machine});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->front().state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(SoftLayerDriverTest, AUserWhoMayNotOrderIsToldWhatItTakes) {
  fake_.RefuseOrders("SoftLayer_Exception_Public",
                     "The user does not have the necessary permissions to add servers.");
  const absl::Status status = driver_.PreCreateCheck(*Call(), Machine());
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("--softlayer-user"), HasSubstr("\"Add Server\""),
                             HasSubstr("Public Network Port")));
}

TEST_F(SoftLayerDriverTest, APausedGuestIsResumed) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.SetPower(UidTag(kTestUid), "PAUSED");
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_PAUSED);
  EXPECT_TRUE(driver_.Start(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
}

struct RefusalCase {
  absl::string_view label;
  absl::string_view code;
  absl::string_view error;
  absl::StatusCode status;
  int http_status = 500;
};
class RefusalTest : public SoftLayerDriverTest, public testing::WithParamInterface<RefusalCase> {};
TEST_P(RefusalTest, IsToldByItsCodeAndNotByTheHttpStatus) {
  fake_.RefuseOrders(GetParam().code, GetParam().error, GetParam().http_status);
  MachineSpec machine = Machine();
  const absl::Status status = Create(machine).status();
  EXPECT_EQ(status.code(), GetParam().status) << status;
  EXPECT_THAT(fake_.GuestNames(), IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(
    Codes, RefusalTest,
    testing::ValuesIn<RefusalCase>({
        {"RateLimit", "SoftLayer_Exception_WebService_RateLimitExceeded",
         "Rate limit of 50 requests for every 1 second(s) exceeded.",
         absl::StatusCode::kResourceExhausted},
        {"Quota", "SoftLayer_Exception_Public", "The quota of virtual guests is reached.",
         absl::StatusCode::kResourceExhausted},
        {"NoRoom", "SoftLayer_Exception_Virtual_Host_Pool_InsufficientResources",
         "Could not place order. There are insufficient resources behind router bcr01a.dal01 to "
         "fulfill the request for the following guests: docker",
         absl::StatusCode::kResourceExhausted},
        {"Value", "SoftLayer_Exception_InvalidValue", "Invalid value for maxMemory.",
         absl::StatusCode::kInvalidArgument},
        {"Request", "SoftLayer_Exception_WebService_BadRequest", "Bad request",
         absl::StatusCode::kInvalidArgument},
        {"Order", "SoftLayer_Exception_Order_InvalidLocation",
         "The location provided for this order is invalid.", absl::StatusCode::kFailedPrecondition},
        {"Prohibited", "SoftLayer_Exception_Public",
         "Your account is currently prohibited from ordering 'Computing Instances'.",
         absl::StatusCode::kFailedPrecondition},
        {"Permission", "SoftLayer_Exception_Public", "'Item' must be ordered with permission.",
         absl::StatusCode::kPermissionDenied},
        {"PermissionCode", "SoftLayer_Exception_PermissionDenied", "Permission Denied.",
         absl::StatusCode::kPermissionDenied},
        {"Unseen", "SoftLayer_Exception_ObjectNotFound", "Unable to find object with id of '1'.",
         absl::StatusCode::kNotFound, 404},
        {"Access", "SoftLayer_Exception_Public", "Access Denied. ",
         absl::StatusCode::kUnauthenticated},
        {"Unauthorized", "SoftLayer_Exception_Public", "Something about the key.",
         absl::StatusCode::kUnauthenticated, 401},
        {"ExpiredToken", "SoftLayer_Exception_Account_Authentication_AccessTokenValidation",
         "The token has expired.", absl::StatusCode::kUnauthenticated},
        {"Busy", "SoftLayer_Exception_Public", "There is currently an active transaction.",
         absl::StatusCode::kUnavailable},
        {"TooEarly", "SoftLayer_Exception_NotImplemented", "Not implemented.",
         absl::StatusCode::kUnavailable},
        {"Internal", "SoftLayer_Exception_Public", "Internal Error",
         absl::StatusCode::kUnavailable},
        {"Internal200", "SoftLayer_Exception_Public", "Internal Error",
         absl::StatusCode::kUnavailable, 200},
        {"Server", "SOAP-ENV:Server", "Something broke.", absl::StatusCode::kUnavailable},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(CredentialsTest, TheOriginalsEndpointBecomesTodays) {
  const SoftLayerDriver driver;
  const auto options = MakeOptions(driver, {Option(kUserFlag, "u"), SecretOption(kApiKeyFlag, "k"),
                                            Option("softlayer-domain", "example.com"),
                                            Option(kEndpointFlag, "api.softlayer.com/rest/v3")});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(ReadCredentials(*options, ProcessEnvironment)->endpoint,
            "https://api.softlayer.com/rest/v3.1");
}

class HostCredentialsTest : public testing::Test {
 protected:
  // Credentials of a create that names none, where slcli has left `file`.
  absl::StatusOr<Credentials> Of(absl::string_view file, std::vector<OptionValue> more = {}) {
    EXPECT_TRUE(common::WriteFileAtomically(absl::StrCat(home_, "/.softlayer"), file, 0600).ok());
    more.push_back(Option("softlayer-domain", "example.com"));
    const auto options = MakeOptions(driver_, more);
    if (!options.ok()) return options.status();
    return ReadCredentials(*options, environment_);
  }

  const std::string home_ = testing::TempDir();
  const Environment environment_ = [this](const char* name) {
    return name == absl::string_view("HOME") ? std::make_optional(home_) : std::nullopt;
  };
  const SoftLayerDriver driver_{FastTiming<Timing>(), environment_};
};

TEST_F(HostCredentialsTest, AreThoseOfSlcli) {
  const auto credentials =
      Of("[softlayer]\nusername = SL1\napi_key = abc\nendpoint_url = https://x/xmlrpc/v3.1\n");
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  EXPECT_EQ(credentials->user, "SL1");
  EXPECT_EQ(credentials->api_key, "abc");
  EXPECT_EQ(credentials->endpoint, "https://api.softlayer.com/rest/v3.1");
  const auto given = Of("[softlayer]\nusername = SL1\napi_key = abc\n",
                        {Option(kUserFlag, "u"), SecretOption(kApiKeyFlag, "k")});
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ(given->user, "u");
}

TEST_F(HostCredentialsTest, WithoutAnyTheErrorSaysWhereTheyMayBe) {
  const absl::Status none = Of("[other]\nusername = SL1\n").status();
  EXPECT_EQ(none.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(none.message()),
              testing::AllOf(HasSubstr("--softlayer-user"), HasSubstr("slcli setup")));
  EXPECT_THAT(std::string(Of("[softlayer]\nusername = SL1\n").status().message()),
              HasSubstr("--softlayer-api-key"));
  // Half of what is given is not completed by another account's half.
  EXPECT_THAT(std::string(Of("[softlayer]\nusername = SL1\napi_key = abc\n",
                             {SecretOption(kApiKeyFlag, "k")})
                              .status()
                              .message()),
              HasSubstr("--softlayer-user"));
}

TEST(BillingTest, IsByTheHourUnlessSomebodySaysOtherwise) {
  const SoftLayerDriver driver;
  const auto hourly = [&](std::vector<OptionValue> more) {
    more.push_back(Option(kUserFlag, "u"));
    more.push_back(SecretOption(kApiKeyFlag, "k"));
    more.push_back(Option("softlayer-domain", "example.com"));
    return ReadSettings(*MakeOptions(driver, more))->hourly;
  };
  EXPECT_TRUE(hourly({}));
  EXPECT_TRUE(hourly({BoolOption("softlayer-hourly-billing", true)}));
  EXPECT_FALSE(hourly({BoolOption("softlayer-hourly-billing", false)}));
  EXPECT_FALSE(hourly({BoolOption("softlayer-monthly-billing", true)}));
}

}  // namespace
}  // namespace machine::driver::softlayer
