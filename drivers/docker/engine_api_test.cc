#include "drivers/docker/engine_api.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "drivers/docker/fake_engine.h"
#include "drivers/docker/machine_container.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"

namespace machine::driver::docker {
namespace {

struct VersionCase {
  std::string label;
  std::string least;
  std::string newest;
  /// Empty: refused.
  std::string agreed;
};

class AgreeOnVersionTest : public testing::TestWithParam<VersionCase> {};

TEST_P(AgreeOnVersionTest, TheHighestCommonOneOrNone) {
  const absl::StatusOr<std::string> version = AgreeOnVersion(GetParam().least, GetParam().newest);
  EXPECT_EQ(version.value_or(""), GetParam().agreed) << version.status();
  if (!version.ok()) {
    EXPECT_EQ(version.status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, AgreeOnVersionTest,
                         testing::ValuesIn<VersionCase>({
                             {"Debian20_10", "1.12", "1.41", "1.41"},
                             {"Engine24", "1.12", "1.43", "1.43"},
                             {"Engine28", "1.24", "1.51", "1.44"},
                             {"Engine29", "1.44", "1.52", "1.44"},
                             {"OneThatGaveUpOurNewest", "1.50", "1.60", "1.50"},
                             {"NoMinimumSaid", "", "1.42", "1.42"},
                             {"Engine19", "1.12", "1.40", ""},
                             {"AnotherMajor", "2.0", "2.0", ""},
                             {"NoVersion", "", "", ""},
                         }),
                         [](const auto& info) { return info.param.label; });

class EngineApiTest : public testing::Test {
 protected:
  FakeEngine engine_;
  EngineTransportFactory transports_ = engine_.transports();
  EngineApi api_{"unix:///x", transports_(Endpoint()).value()};
  CallRecord record_;
  std::unique_ptr<DriverCall> call_ = MakeCall("uid-1", record_);
};

struct AnswerCase {
  std::string label;
  EngineResponse answer;
  absl::StatusCode code;
  std::string message;
};

class EngineErrorTest : public EngineApiTest, public testing::WithParamInterface<AnswerCase> {};

TEST_P(EngineErrorTest, BecomesAStatusWithTheEnginesWords) {
  engine_.AnswerOnce("/containers/json", GetParam().answer);
  const absl::Status status = api_.List(*call_, {}).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), GetParam().message)) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Answers, EngineErrorTest,
    testing::ValuesIn<AnswerCase>({
        {"BadRequest", {400, R"({"message":"bad"})"}, absl::StatusCode::kInvalidArgument, "bad"},
        {"Policy", {403, R"({"message":"no"})"}, absl::StatusCode::kPermissionDenied, "no"},
        {"Gone", {404, R"({"message":"gone"})"}, absl::StatusCode::kNotFound, "gone"},
        {"Conflict", {409, R"({"message":"twice"})"}, absl::StatusCode::kAlreadyExists, "twice"},
        {"DiskFull",
         {500, R"({"message":"no space left on device"})"},
         absl::StatusCode::kFailedPrecondition,
         "no space left on device"},
        {"Busy", {503, R"({"message":"later"})"}, absl::StatusCode::kUnavailable, "later"},
        {"HtmlError", {502, "<html>"}, absl::StatusCode::kFailedPrecondition, "HTTP status 502"},
        {"ControlCharacters",
         {500, "{\"message\":\"a\\u0007b\\nc\"}"},
         absl::StatusCode::kFailedPrecondition,
         "a b c"},
        {"NoJson", {200, "hello"}, absl::StatusCode::kFailedPrecondition, "not a Docker Engine"},
        {"OtherJson", {200, "{}"}, absl::StatusCode::kFailedPrecondition, "not a Docker Engine"},
        {"CutShort", {200, "[{\"Id\":"}, absl::StatusCode::kFailedPrecondition, "not a Docker"},
    }),
    [](const auto& info) { return info.param.label; });

TEST_F(EngineApiTest, AListWithMembersOfOtherTypesIsReadAsFarAsItGoes) {
  engine_.AnswerOnce("/containers/json",
                     {200, R"([{"Id": 7, "Names": "x", "State": "running", "Labels": null,
                                "Ports": {"a": 1}, "NetworkSettings": []}, 42, null])"});
  const auto list = api_.List(*call_, {});
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ(list->front().status, "running");
  EXPECT_EQ(list->front().id, "");
}

struct FailureCase {
  std::string label;
  absl::Status sent;
  absl::StatusCode code;
  std::string message;
};

class FailedSendTest : public testing::TestWithParam<FailureCase> {};

TEST_P(FailedSendTest, SaysWhichEngineAndWhatToDo) {
  class FailingTransport final : public EngineTransport {
    absl::StatusOr<EngineResponse> Send(const common::CallScope&, const EngineRequest&) override {
      return GetParam().sent;
    }
  };
  EngineApi api("tcp://engine:2376", std::make_unique<FailingTransport>());
  CallRecord record;
  const absl::Status status = api.Connect(*MakeCall("uid-1", record));
  EXPECT_EQ(status.code(), GetParam().code);
  EXPECT_EQ(status.message(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Failures, FailedSendTest,
    testing::ValuesIn<FailureCase>({
        {"NobodyListens",
         absl::UnavailableError(
             "GET x: Failed to connect to engine port 2376 (Connection refused)"),
         absl::StatusCode::kUnavailable,
         "no Docker Engine answers at tcp://engine:2376 (Connection refused): start it there, or "
         "name another with --docker-endpoint"},
        {"ConnectionBreaks", absl::UnavailableError("Recv failure"), absl::StatusCode::kUnavailable,
         "no Docker Engine answers at tcp://engine:2376 (Recv failure): start it there, or name "
         "another with --docker-endpoint"},
        {"CertificateIsWanted",
         absl::UnavailableError("SSL routines::tlsv13 alert certificate required, errno 0"),
         absl::StatusCode::kUnauthenticated,
         "the Docker Engine at tcp://engine:2376 refused the client certificate (SSL "
         "routines::tlsv13 alert certificate required, errno 0): see --docker-tls-cert"},
        {"NoRightToTheSocket", absl::PermissionDeniedError("no"),
         absl::StatusCode::kPermissionDenied,
         "this user may not use the Docker Engine at tcp://engine:2376: add the user to the group "
         "docker, or name another engine with --docker-endpoint"},
        {"UntrustedServer",
         common::Error(absl::StatusCode::kUnauthenticated,
                       machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED, "x",
                       {{"host", "engine"}, {"cause", "self-signed certificate"}}),
         absl::StatusCode::kUnauthenticated,
         "the certificate of the Docker Engine at tcp://engine:2376 is not trusted (self-signed "
         "certificate): name the CA that signed it with --docker-tls-ca-cert, and the engine as "
         "its certificate does with --docker-endpoint"},
        {"AnythingElse", absl::FailedPreconditionError("too many redirects"),
         absl::StatusCode::kFailedPrecondition,
         "Docker Engine at tcp://engine:2376: too many redirects"},
        {"Cancelled", absl::CancelledError("by user"), absl::StatusCode::kCancelled, "by user"},
    }),
    [](const auto& info) { return info.param.label; });

TEST_F(EngineApiTest, SomethingElseAtTheAddressIsSaid) {
  engine_.AnswerOnce("GET /version", {200, "SSH-2.0"});
  const absl::Status status = api_.Connect(*call_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "what answers at unix:///x is not a Docker Engine");
}

TEST_F(EngineApiTest, TheVersionIsAskedForOnceAndAgainAfterAnUpgrade) {
  ASSERT_TRUE(api_.List(*call_, {}).ok());
  ASSERT_TRUE(api_.List(*call_, {}).ok());
  EXPECT_EQ(engine_.Count("GET /version"), 1);
  engine_.api_version = "1.52";
  engine_.min_api_version = "1.44";
  ASSERT_TRUE(api_.List(*call_, {}).ok());
  EXPECT_EQ(engine_.Count("GET /version"), 2);
  EXPECT_EQ(engine_.Count("/v1.44/containers/json"), 1);
}

TEST_F(EngineApiTest, GoalsThatAreReachedAreOk) {
  EXPECT_TRUE(api_.RemoveContainer(*call_, "nothing").ok());
  EXPECT_TRUE(api_.RemoveVolume(*call_, "nothing").ok());
  EXPECT_EQ(api_.HasImage(*call_, "nothing:1").value(), false);
  EXPECT_EQ(api_.ListVolumes(*call_, {{"a", "b"}}).value(), std::vector<std::string>());
}

TEST(PercentEncodeTest, LeavesOnlyWhatIsSafeEverywhere) {
  EXPECT_EQ(PercentEncode("a-b_c.d~9"), "a-b_c.d~9");
  EXPECT_EQ(PercentEncode("SIGRTMIN+3 /?&=\xff"), "SIGRTMIN%2B3%20%2F%3F%26%3D%FF");
}

}  // namespace
}  // namespace machine::driver::docker
