#include "services/common/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "machine/options/v1/options.pb.h"
#include "machine/v1/machines.pb.h"
#include "services/common/log/level.h"

namespace machine::common {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(LogTest, WritesOneJsonObjectALine) {
  std::array<int, 2> fds;
  ASSERT_EQ(pipe(fds.data()), 0);
  const FakeClock clock(absl::FromUnixMillis(1'700'000'000'250));
  const Logger log(Severity::kInfo, "test", fds[1], clock);
  log.Debug("dropped");
  log.Info("say \"hi\"\n", {{"machine", "d\\ev"}});
  close(fds[1]);
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(read(fds[0], text.data(), text.size())));
  close(fds[0]);
  EXPECT_EQ(
      text,
      "{\"time\":\"2023-11-14T22:13:20.250000Z\",\"severity\":\"info\",\"component\":\"test\","
      "\"machine\":\"d\\\\ev\",\"message\":\"say \\\"hi\\\"\\n\"}\n");
}

TEST(LogTest, TheLevelOfTheProcessIsThatOfEveryLogger) {
  std::array<int, 2> fds;
  ASSERT_EQ(pipe(fds.data()), 0);
  const Logger log(Severity::kInfo, "test", fds[1]);
  const Logger copy = log;
  SetProcessSeverity(Severity::kDebug);
  copy.Debug("seen");
  SetProcessSeverity(Severity::kError);
  log.Warning("dropped");
  SetProcessSeverity(Severity::kInfo);
  close(fds[1]);
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(read(fds[0], text.data(), text.size())));
  close(fds[0]);
  EXPECT_THAT(text, HasSubstr("seen"));
  EXPECT_THAT(text, Not(HasSubstr("dropped")));
}

struct JsonCase {
  absl::string_view label, text, json;
};
class JsonStringTest : public testing::TestWithParam<JsonCase> {};
TEST_P(JsonStringTest, Escapes) { EXPECT_EQ(JsonString(GetParam().text), GetParam().json); }
INSTANTIATE_TEST_SUITE_P(Texts, JsonStringTest,
                         testing::ValuesIn<JsonCase>({
                             {"PlainTextIsQuoted", "abc", "\"abc\""},
                             {"Utf8IsKept", "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
                             {"BrokenUtf8IsReplaced", "a\xc3", "\"a\\ufffd\""},
                             {"LoneContinuationIsReplaced", "\x80z", "\"\\ufffdz\""},
                             {"ControlCharactersAreEscaped", "\x01\t", "\"\\u0001\\t\""},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(RedactedTest, SecretsAtAnyDepthAreMasked) {
  machine::v1::CreateMachineRequest request;
  request.set_machine_id("dev");
  request.set_ssh_private_key("PRIVATE");
  auto* option = request.mutable_machine()->add_driver_options();
  option->set_name("digitalocean-access-token");
  option->set_secret_value("TOKEN");
  const std::string text = Redacted(request);
  EXPECT_THAT(text, HasSubstr("digitalocean-access-token"));
  EXPECT_THAT(text, HasSubstr("[secret]"));
  EXPECT_THAT(text, Not(HasSubstr("TOKEN")));
  EXPECT_THAT(text, Not(HasSubstr("PRIVATE")));

  ClearSecrets(request);
  EXPECT_EQ(request.ssh_private_key(), "");
  EXPECT_EQ(request.machine().driver_options(0).value_case(),
            machine::v1::OptionValue::VALUE_NOT_SET);
}

}  // namespace
}  // namespace machine::common
