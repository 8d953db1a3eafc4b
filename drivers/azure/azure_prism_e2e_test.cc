// Every typed call against prism on Microsoft's own descriptions: a second opinion on what is sent,
// and the first on whether the answers are understood.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/azure/azure_api.h"
#include "drivers/azure/azure_json.h"
#include "drivers/azure/machine_vm.h"
#include "drivers/sdk/cloud/json_api.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/http/fake_server.h"
#include "tests/fakes/openapi/description.h"
#include "tests/fakes/prism/prism.h"

namespace machine::driver::azure {
namespace {

constexpr char kSubscription[] = "d255d8d7-5af0-4f5c-8a3e-1545044b861e";

constexpr char kOperation[] = "/providers/Microsoft.Compute/locations/westus/operations/1";

// In front of prism, which has no state, and so would never say that an operation has ended: says
// where each change is to be followed, that it is under way once, and then that it has succeeded.
class Operations : public fakes::FakeServer {
 public:
  explicit Operations(std::string prism) : prism_(std::move(prism)) {
    NoRoute([this](const fakes::Request& request) {
      return absl::EndsWith(request.path, kOperation) ? Tell() : Pass(request);
    });
    Start();
  }
  ~Operations() override { Stop(); }

 private:
  fakes::Response Tell() {
    absl::MutexLock lock(&mu_);
    const char* const status = ++asked_ % 2 == 0 ? "Succeeded" : "InProgress";
    return {.body = absl::StrCat(R"({"name": "1", "status": ")", status, R"("})")};
  }

  fakes::Response Pass(const fakes::Request& from) {
    common::HttpRequest request;
    request.method = from.method;
    request.url = absl::StrCat(prism_, from.path);
    const char* separator = "?";
    for (const auto& [name, value] : from.query) {
      absl::StrAppend(&request.url, separator, PercentEncode(name), "=", PercentEncode(value));
      separator = "&";
    }
    for (const char* const name : {"Authorization", "Content-Type", "Accept"}) {
      if (!from.Header(name).empty()) request.headers.Set(name, from.Header(name));
    }
    request.body = from.body;
    request.max_attempts = 1;
    request.deadline = absl::Now() + absl::Minutes(1);
    const absl::StatusOr<common::HttpResponse> answer = http_.Send(std::move(request));
    if (!answer.ok()) return {.status = 502, .body = "{}"};
    fakes::Response response = {.status = answer->status, .body = answer->body};
    // Every list that is made up goes on, at a page named "string".
    Json body = Json::parse(answer->body, nullptr, /*allow_exceptions=*/false);
    if (body.is_object() && body.erase("nextLink") > 0) response.body = body.dump();
    if (from.method != "GET") {
      response.headers["Azure-AsyncOperation"] =
          absl::StrCat(url(), "/subscriptions/", kSubscription, kOperation, "?api-version=1");
    }
    return response;
  }

  const std::string prism_;
  common::HttpClient http_;
  absl::Mutex mu_;
  int asked_ ABSL_GUARDED_BY(mu_) = 0;
};

class PrismE2eTest : public testing::Test {
 protected:
  void SetUp() override {
    program_ = fakes::Prism::Program();
    if (!program_.has_value()) GTEST_SKIP() << "MACHINE_PRISM names no program";
    folder_ = fakes::DescriptionsFolder();
    if (!folder_.has_value()) GTEST_SKIP() << "MACHINE_SPECS_DIR names no folder of descriptions";
  }

  // An API that answers by one of the descriptions.
  const AzureApi& Api(absl::string_view description) {
    auto prism =
        fakes::Prism::Start(*program_, absl::StrCat(*folder_, "/azure/", description, ".json"));
    EXPECT_TRUE(prism.ok()) << prism.status();
    if (prism.ok()) prism_ = *std::move(prism);
    operations_ =
        std::make_unique<Operations>(prism_ == nullptr ? "http://127.0.0.1:1" : prism_->url());
    api_ = std::make_unique<AzureApi>(http_, operations_->url(), kSubscription, GivenToken("token"),
                                      Backoff());
    return *api_;
  }

  void ExpectEnds(const absl::StatusOr<Operation>& begun) {
    ASSERT_TRUE(begun.ok()) << begun.status();
    EXPECT_FALSE(begun->done);
    const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
    const absl::Status ended = AwaitOperation(*call_, *api_, {.poll = fast}, *begun);
    EXPECT_TRUE(ended.ok()) << ended;
  }

  void ExpectKept(Kind kind, absl::string_view description, const Json& body) {
    const AzureApi& api = Api(description);
    ExpectEnds(api.Put(*call_, kind, "group", "name", body));
    const auto found = api.Find(*call_, kind, "group", "name");
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_TRUE(found->has_value());
    ExpectEnds(api.Delete(*call_, kind, "group", "name"));
  }

  std::optional<std::string> program_;
  std::optional<std::string> folder_;
  CallRecord record_;
  // A bound, so that the test ends whatever the mock says.
  const std::unique_ptr<DriverCall> call_ = MakeCall("uid", record_, absl::Minutes(3));
  common::HttpClient http_;
  std::unique_ptr<fakes::Prism> prism_;
  std::unique_ptr<Operations> operations_;
  std::unique_ptr<AzureApi> api_;
};

TEST_F(PrismE2eTest, Machines) {
  const MachineSpecification spec = {
      .location = "westus",
      .tags = {{"a", "b"}},
      .zone = "1",
      .size = "Standard_B1s",
      .image = {"Canonical", "ubuntu-24_04-lts", "server", "24.04.202611010", ""},
      .disk_name = "disk",
      .disk_type = "StandardSSD_LRS",
      .disk_gb = 64,
      .interface_id = "/subscriptions/s/…/nic",
      .host_name = "dev",
      .username = "ubuntu",
      .ssh_public_key = std::string(kTestKey),
      .password = "correct-Horse-7",
      .custom_data = "#cloud-config\n"};
  ExpectKept(Kind::kMachine, "compute-2019-03-01.openapi3", BodyOf(spec));
  for (const char* const verb : {"start", "restart", "deallocate", "powerOff"}) {
    SCOPED_TRACE(verb);
    ExpectEnds(api_->Act(*call_, "group", "name", verb));
  }
  const auto machine = api_->FindMachine(*call_, "group", "name");
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_TRUE(machine->has_value());
  const auto offers = api_->ListOffers(*call_, "westus", "Canonical");
  ASSERT_TRUE(offers.ok()) << offers.status();
  EXPECT_FALSE(offers->empty());
  const auto versions = api_->ListVersions(*call_, "westus", spec.image);
  ASSERT_TRUE(versions.ok()) << versions.status();
}

TEST_F(PrismE2eTest, Networks) {
  ExpectKept(Kind::kNetwork, "network-2016-09-01-virtualNetwork.swagger2",
             BodyOf(NetworkSpec{"westus", {}, "192.168.0.0/16", "docker-machine"}));
  ExpectKept(Kind::kSecurityGroup, "network-2016-09-01-networkSecurityGroup.swagger2",
             BodyOf(SecurityGroupSpec{"westus", {}, {"22/Tcp", "53/Udp"}, {"203.0.113.0/24"}}));
  ExpectKept(Kind::kPublicAddress, "network-2016-09-01-publicIpAddress.swagger2",
             BodyOf(PublicAddressSpec{"westus", {}, "dev-one", "1"}));
  ExpectKept(Kind::kInterface, "network-2016-09-01-networkInterface.swagger2",
             BodyOf(InterfaceSpec{"westus", {}, "subnet", "nsg", "ip", "192.168.0.4"}));
}

TEST_F(PrismE2eTest, Groups) {
  const AzureApi& api = Api("resources-2019-08-01.openapi3");
  EXPECT_TRUE(api.PutGroup(*call_, "group", "westus", {{"a", "b"}}).ok());
  const auto found = api.FindGroup(*call_, "group");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->has_value());
  const auto names = api.ListGroups(*call_);
  ASSERT_TRUE(names.ok()) << names.status();
  EXPECT_FALSE(names->empty());
  // By tag, as orphans are looked for. Those that are made up have other tags.
  const auto tagged = api.ListGroups(*call_, kOrchestratorTag, "one");
  ASSERT_TRUE(tagged.ok()) << tagged.status();
  EXPECT_TRUE(tagged->empty());
  EXPECT_TRUE(api.RegistrationOf(*call_, "Microsoft.Compute").ok());
  EXPECT_TRUE(api.Register(*call_, "Microsoft.Compute").ok());
  ExpectEnds(api.DeleteGroup(*call_, "group"));
}

}  // namespace
}  // namespace machine::driver::azure
