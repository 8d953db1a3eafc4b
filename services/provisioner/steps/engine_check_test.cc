#include "services/provisioner/steps/engine_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

using ::testing::HasSubstr;

common::CallScope MakeCall() {
  return common::CallScope(absl::InfiniteFuture(), std::make_shared<common::Cancellation>(), {});
}

struct VersionCase {
  absl::string_view label;
  absl::string_view answer;
  absl::string_view api_version;  // Empty: refused.
};

class ReadVersionTest : public testing::TestWithParam<VersionCase> {};

TEST_P(ReadVersionTest, AgreesOnTheHighestThatBothSpeak) {
  const auto version = ReadVersionAnswer(GetParam().answer);
  if (GetParam().api_version.empty()) {
    EXPECT_EQ(common::ReasonOf(version.status()), machine::v1::ERROR_REASON_ENGINE_UNREACHABLE);
    return;
  }
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->api_version, GetParam().api_version);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, ReadVersionTest,
    testing::ValuesIn<VersionCase>({
        {"Debian12", R"({"Version":"20.10.24+dfsg1","ApiVersion":"1.41","MinAPIVersion":"1.12"})",
         "1.41"},
        {"Engine29", R"({"Version":"29.0.0","ApiVersion":"1.52","MinAPIVersion":"1.44"})", "1.51"},
        {"WithoutMinimum", R"({"Version":"1.12.0","ApiVersion":"1.24"})", "1.24"},
        {"TooOld", R"({"Version":"1.9","ApiVersion":"1.21"})", ""},
        {"TooNew", R"({"Version":"99","ApiVersion":"1.99","MinAPIVersion":"1.90"})", ""},
        {"NoVersion", R"({"message":"page not found"})", ""},
        {"WrongType", R"({"ApiVersion":1.41})", ""},
        {"NoJson", "<html>", ""},
        {"NoObject", "[]", ""},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(ReadVersionTest, AVersionHasNoV) {
  EXPECT_EQ(ReadVersionAnswer(R"({"Version":"v27.1","ApiVersion":"1.46"})")->version, "27.1");
}

class ListProbe final : public EngineProbe {
 public:
  absl::StatusOr<EngineVersion> Ask(common::CallScope&, absl::string_view,
                                    const std::optional<EngineTls>&) const override {
    ++asked;
    if (answers.empty()) return absl::InternalError("no more answers");
    auto answer = answers.front();
    answers.pop_front();
    return answer;
  }

  absl::StatusOr<EngineAnswer> Send(common::CallScope&, absl::string_view,
                                    const std::optional<EngineTls>&, absl::string_view,
                                    absl::string_view, const std::string&) const override {
    return absl::InternalError("no call of the API was expected");
  }

  mutable std::deque<absl::StatusOr<EngineVersion>> answers;
  mutable int asked = 0;
};

absl::Status NotYet() {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_ENGINE_UNREACHABLE,
                       "Connection refused");
}

TEST(CheckEngineTest, AsksAgainWhileTheEngineComesUp) {
  ListProbe probe;
  probe.answers = {NotYet(), NotYet(), EngineVersion{"1", "1.41"}};
  auto call = MakeCall();
  const auto version = CheckEngine(call, probe, "tcp://h:1", std::nullopt, absl::Minutes(1));
  EXPECT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(probe.asked, 3);
}

TEST(CheckEngineTest, AsksOnceWithoutTime) {
  ListProbe probe;
  probe.answers = {NotYet()};
  auto call = MakeCall();
  const absl::Status status =
      CheckEngine(call, probe, "tcp://h:1", std::nullopt, absl::ZeroDuration()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_ENGINE_UNREACHABLE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Connection refused"));
  EXPECT_EQ(probe.asked, 1);
}

TEST(CheckEngineTest, AFinalAnswerIsFinal) {
  ListProbe probe;
  probe.answers = {absl::FailedPreconditionError("wrong certificate")};
  auto call = MakeCall();
  const auto version = CheckEngine(call, probe, "tcp://h:1", std::nullopt, absl::Minutes(1));
  EXPECT_EQ(version.status().message(), "wrong certificate");
  EXPECT_EQ(probe.asked, 1);
}

TEST(CheckEngineTest, StopsWhenCancelled) {
  ListProbe probe;
  auto call = MakeCall();
  call.cancellation()->Cancel();
  EXPECT_TRUE(absl::IsCancelled(
      CheckEngine(call, probe, "tcp://h:1", std::nullopt, absl::Minutes(1)).status()));
  EXPECT_EQ(probe.asked, 0);
}

}  // namespace
}  // namespace machine::provisioner
