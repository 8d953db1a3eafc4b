#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

using testing::HasSubstr;

constexpr Backoff kFast = {absl::Milliseconds(1), absl::Milliseconds(2)};

TEST(NamesTest, TagsTellTheirMachine) {
  EXPECT_EQ(UidTag("u-1"), "machine-uid-u-1");
  EXPECT_EQ(UidOfTag("machine-uid-u-1"), "u-1");
  EXPECT_EQ(UidOfTag("machine-uid-"), std::nullopt);
  EXPECT_EQ(UidOfTag("web"), std::nullopt);
  EXPECT_EQ(OrchestratorTag("o"), "machine-orchestrator-o");
}

struct HostNameCase {
  absl::string_view label, machine, host;
  size_t max_bytes = 63;
  bool allow_dots = false;
};
class HostNameTest : public testing::TestWithParam<HostNameCase> {};
TEST_P(HostNameTest, IsAHostName) {
  const HostNameCase& c = GetParam();
  EXPECT_EQ(HostName(c.machine, c.max_bytes, c.allow_dots), c.host);
}
INSTANTIATE_TEST_SUITE_P(Names, HostNameTest,
                         testing::ValuesIn<HostNameCase>({
                             {"Plain", "dev-1", "dev-1"},
                             {"UpperCaseAndDots", "Dev.One", "dev-one"},
                             {"DotsAllowed", "Dev.One.", "dev.one", 63, true},
                             {"TooLong", "abcdef-ghi", "abcdef", 7},
                             {"NothingLeft", "...", "machine"},
                             {"OtherSigns", "a'b\"c", "a-b-c"},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(AwaitTest, PausesGrowUpToTheSlowest) {
  const Backoff backoff = {absl::Seconds(1), absl::Seconds(3)};
  for (const auto& [look, most] : std::vector<std::pair<int, double>>{{1, 1}, {2, 1.5}, {9, 3}}) {
    EXPECT_LE(PauseAfter(backoff, look), absl::Seconds(most));
    EXPECT_GE(PauseAfter(backoff, look), absl::Seconds(most / 2));
  }
}

TEST(AwaitTest, LooksUntilThereIsAValueAndBearsPassingErrors) {
  CallRecord record;
  const auto call = MakeCall("u", record);
  int looks = 0;
  const auto seen = Await<int>(*call, kFast, [&]() -> absl::StatusOr<std::optional<int>> {
    if (++looks == 1) return std::nullopt;
    if (looks == 2) return absl::UnavailableError("down");
    return 7;
  });
  EXPECT_EQ(seen.value_or(0), 7);
  EXPECT_EQ(looks, 3);
}

TEST(AwaitTest, EndsWithAnErrorThatStays) {
  CallRecord record;
  const auto call = MakeCall("u", record);
  const auto seen = Await<int>(*call, kFast, []() -> absl::StatusOr<std::optional<int>> {
    return absl::NotFoundError("gone");
  });
  EXPECT_EQ(seen.status(), absl::NotFoundError("gone"));
}

TEST(AwaitTest, EndsWithTheCallAndSaysWhatWasWrong) {
  CallRecord record;
  const auto call = MakeCall("u", record, absl::Milliseconds(20));
  const auto seen = Await<int>(*call, kFast, []() -> absl::StatusOr<std::optional<int>> {
    return absl::UnavailableError("provider is down");
  });
  EXPECT_EQ(seen.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(seen.status().message()), HasSubstr("provider is down"));
}

// A provider whose answers may be lost and whose lists may lag.
struct Cloud {
  std::vector<absl::Status> answers;  // To the creates, in order; OK at their end.
  int lag = 0;
  int made = 0;
  int creates = 0;

  absl::StatusOr<std::optional<int>> Find() {
    if (made == 0 || lag-- > 0) return std::nullopt;
    return 1;
  }
  absl::StatusOr<int> Create(bool takes_effect) {
    const absl::Status answer =
        creates < static_cast<int>(answers.size()) ? answers[creates] : absl::OkStatus();
    ++creates;
    if (answer.ok() || takes_effect) ++made;
    if (!answer.ok()) return answer;
    return made;
  }
};

struct CreateCase {
  absl::string_view label;
  std::vector<absl::Status> answers;
  bool takes_effect;
  int lag;
  bool maybe_made;
  int made_before;
  absl::StatusCode code;
  int made;
  int creates;
};
class CreateOnceTest : public testing::TestWithParam<CreateCase> {};
TEST_P(CreateOnceTest, MakesOneWhateverIsLost) {
  const CreateCase& c = GetParam();
  Cloud cloud = {.answers = c.answers, .lag = c.lag, .made = c.made_before};
  CallRecord record;
  const auto call = MakeCall("u", record);
  const auto made = CreateOnce<int>(
      *call, {.looks = 5, .backoff = kFast}, c.maybe_made, [&] { return cloud.Find(); },
      [&] { return cloud.Create(c.takes_effect); }, [](int) { return absl::OkStatus(); });
  EXPECT_EQ(made.status().code(), c.code) << made.status();
  EXPECT_EQ(cloud.made, c.made);
  EXPECT_EQ(cloud.creates, c.creates);
}
INSTANTIATE_TEST_SUITE_P(
    Cases, CreateOnceTest,
    testing::ValuesIn<CreateCase>({
        {"Plain", {}, false, 0, false, 0, absl::StatusCode::kOk, 1, 1},
        {"AlreadyThere", {}, false, 0, false, 1, absl::StatusCode::kOk, 1, 0},
        {"MaybeThereAndUnseen", {}, false, 3, true, 1, absl::StatusCode::kOk, 1, 0},
        {"LostAnswer",
         {absl::UnavailableError("")},
         true,
         0,
         false,
         0,
         absl::StatusCode::kOk,
         1,
         1},
        {"LostAnswerAndUnseen",
         {absl::UnavailableError("")},
         true,
         3,
         false,
         0,
         absl::StatusCode::kOk,
         1,
         1},
        {"LostRequest",
         {absl::UnavailableError("")},
         false,
         0,
         false,
         0,
         absl::StatusCode::kOk,
         1,
         2},
        {"Refused",
         {absl::InvalidArgumentError("")},
         false,
         0,
         false,
         0,
         absl::StatusCode::kInvalidArgument,
         0,
         1},
        {"ProviderStaysDown",
         {absl::UnavailableError(""), absl::UnavailableError(""), absl::UnavailableError("")},
         false,
         0,
         false,
         0,
         absl::StatusCode::kUnavailable,
         0,
         3},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(AccountsTest, OneForEachIdentityAndTheIdleOnesAreForgotten) {
  Accounts<std::string> accounts(2);
  int made = 0;
  const auto of = [&](absl::string_view identity) {
    return accounts.Of(identity, [&] {
      ++made;
      return std::make_shared<std::string>(identity);
    });
  };
  const auto a = of("a");
  EXPECT_EQ(of("b"), of("b"));
  EXPECT_EQ(of("a"), a);
  EXPECT_EQ(made, 2);
  EXPECT_EQ(*of("c"), "c");  // In the place of b.
  EXPECT_EQ(of("a"), a);
  EXPECT_EQ(*of("b"), "b");
  EXPECT_EQ(made, 4);
}

class BatchTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<Observation>> Inspect(std::vector<absl::string_view> uids) {
    std::vector<MachineSpec> machines;
    for (const absl::string_view uid : uids) machines.push_back({.uid = std::string(uid)});
    return InspectByAccount<std::string>(
        machines,
        [&](const MachineSpec& machine) -> absl::StatusOr<std::shared_ptr<std::string>> {
          return accounts_.Of(machine.uid.substr(0, 1), [&] {
            return std::make_shared<std::string>(machine.uid.substr(0, 1));
          });
        },
        [&](std::string& account,
            const AccountMachines& share) -> absl::StatusOr<std::vector<Observation>> {
          ++asked_;
          if (account == "x") return absl::UnavailableError("x is down");
          std::vector<Observation> seen;
          for (const MachineSpec* const machine : share) {
            seen.emplace_back().set_instance_id(machine->uid);
          }
          return seen;
        });
  }

  Accounts<std::string> accounts_;
  std::atomic<int> asked_ = 0;
};

TEST_F(BatchTest, AsksEachAccountOnceAndKeepsTheOrder) {
  const auto seen = Inspect({"a1", "b1", "a2", "b2", "a3"});
  ASSERT_TRUE(seen.ok()) << seen.status();
  std::vector<std::string> ids;
  for (const Observation& each : *seen) ids.push_back(each.instance_id());
  EXPECT_THAT(ids, testing::ElementsAre("a1", "b1", "a2", "b2", "a3"));
  EXPECT_EQ(asked_, 2);
}

TEST_F(BatchTest, ASilentAccountShowsAsTimeout) {
  const auto seen = Inspect({"x1", "a1"});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ((*seen)[0].state(), machine::v1::MACHINE_STATE_TIMEOUT);
  EXPECT_EQ((*seen)[1].instance_id(), "a1");
}

TEST_F(BatchTest, WhereAllFailTheCauseIsTold) {
  EXPECT_EQ(Inspect({"x1", "x2"}).status(), absl::UnavailableError("x is down"));
  EXPECT_TRUE(Inspect({}).ok());
}

TEST(ChoicesTest, AnUnknownOneListsWhatExists) {
  EXPECT_TRUE(CheckChoice("x-region", "region", "b", {"a", "b"}).ok());
  const absl::Status status = CheckChoice("x-region", "region", "z", {"b", "a", "b"});
  EXPECT_EQ(status.message(), "--x-region: there is no region \"z\"; there are a, b");
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED);
  EXPECT_EQ(NoSuchChoice("f", "size", "z", {}).message(), "--f: there is no size \"z\"");
  const std::vector<std::string> many(100, "");
  std::vector<std::string> numbered;
  for (size_t i = 0; i < many.size(); ++i) numbered.push_back(std::to_string(i));
  EXPECT_THAT(std::string(NoSuchChoice("f", "size", "z", numbered).message()),
              HasSubstr("and 40 more"));
}

Options OptionsOf(absl::string_view image, absl::string_view cert) {
  const Flags flags =
      Flags().String("x-image").Usage("image").String("x-cert").Usage("certificate");
  return *flags.Complete("x", {Option("x-image", image), Option("x-cert", cert)},
                         Flags::Strictness::kCreate);
}

TEST(ChoicesTest, RetiredValuesNameTheirReplacement) {
  const Retired retired[] = {{"x-image", "old-*", "is gone; use new"},
                             {"x-cert", "", "is no longer taken; use --x-key"}};
  EXPECT_TRUE(CheckRetired(OptionsOf("new", ""), retired).ok());
  EXPECT_EQ(CheckRetired(OptionsOf("old-1", ""), retired).message(),
            "--x-image: \"old-1\" is gone; use new");
  EXPECT_EQ(CheckRetired(OptionsOf("new", "c"), retired).message(),
            "--x-cert is no longer taken; use --x-key");
  const Renamed renamed[] = {{"1gb", "s-1"}};
  EXPECT_EQ(CurrentNameOf("1gb", renamed), "s-1");
  EXPECT_EQ(CurrentNameOf("2gb", renamed), "2gb");
}

struct EndpointCase {
  absl::string_view label, url, endpoint;
};
class EndpointTest : public testing::TestWithParam<EndpointCase> {};
TEST_P(EndpointTest, IsAcceptedOrRefused) {
  const auto endpoint = ParseApiEndpoint("x-endpoint", GetParam().url);
  if (GetParam().endpoint.empty()) {
    EXPECT_EQ(endpoint.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(endpoint.status().message()), HasSubstr("--x-endpoint"));
  } else {
    EXPECT_EQ(endpoint.value_or(endpoint.status().ToString()), GetParam().endpoint);
  }
}
INSTANTIATE_TEST_SUITE_P(Urls, EndpointTest,
                         testing::ValuesIn<EndpointCase>({
                             {"Https", "https://api.example.com/v2/", "https://api.example.com/v2"},
                             {"LoopbackName", "http://localhost:8080", "http://localhost:8080"},
                             {"Loopback", "http://127.0.0.1:8080/", "http://127.0.0.1:8080"},
                             {"Loopback6", "http://[::1]:8080", "http://[::1]:8080"},
                             {"PlainElsewhere", "http://api.example.com", ""},
                             {"LoopbackLookalike", "http://127.0.0.1.example.com", ""},
                             {"Credentials", "https://user@example.com", ""},
                             {"Query", "https://example.com?x=1", ""},
                             {"NoHost", "https:///v2", ""},
                             {"NoScheme", "api.example.com", ""},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(CidrTest, RangesOfBothFamilies) {
  for (const absl::string_view good : {"0.0.0.0/0", "203.0.113.7/32", "2001:db8::/32", "::/0"}) {
    EXPECT_TRUE(CheckCidr("x", good).ok()) << good;
  }
  for (const absl::string_view bad :
       {"", "10.0.0.1", "10.0.0.0/33", "::/129", "a/8", "1.2.3.4/-1"}) {
    EXPECT_FALSE(CheckCidr("x", bad).ok()) << bad;
  }
  EXPECT_TRUE(IsEverywhere("::/0"));
  EXPECT_FALSE(IsEverywhere("10.0.0.0/8"));
}

TEST(StateOfTest, UnknownWordsAreUnspecified) {
  const StateWord table[] = {{"up", machine::v1::MACHINE_STATE_RUNNING}};
  EXPECT_EQ(StateOf(table, "up"), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(StateOf(table, "odd"), machine::v1::MACHINE_STATE_UNSPECIFIED);
}

}  // namespace
}  // namespace machine::driver
