#include "services/common/config/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/file/file.h"

namespace machine::common {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr OptionSpec kOptions[] = {
    {.name = "listen", .value = "HOST:PORT", .sample = "0.0.0.0:1", .help = "Where to serve"},
    {.name = "name",
     .value = "NAME",
     .variable = "TEST_OTHER_NAMES",
     .repeated = true,
     .sample = "[a, b]",
     .help = "One more name; may be given several times"},
    {.name = "log-level",
     .value = "LEVEL",
     .live = true,
     .sample = "debug",
     .help = "Least severity"},
    {.name = "private", .sample = "true", .help = "Serve one user"},
};
constexpr OptionTable kTable = {"program", "TEST_", kOptions};

std::string FileOf(const std::string& text) {
  std::string path = absl::StrCat(std::getenv("TEST_TMPDIR"), "/options.yaml");
  EXPECT_TRUE(WriteFileAtomically(path, text, 0600).ok());
  return path;
}

// The sample without the mark before what is no text.
std::string AllOn(const std::string& sample) {
  return absl::StrReplaceAll(sample, {{"\n# ", "\n# "}, {"\n#", "\n"}});
}

// "NAME=VALUE" of each.
absl::StatusOr<std::vector<std::string>> Read(std::vector<std::string> words) {
  const absl::StatusOr<std::vector<Option>> options =
      OptionSources(kTable, std::move(words)).Read();
  if (!options.ok()) return options.status();
  std::vector<std::string> read;
  for (const Option& option : *options) {
    read.push_back(absl::StrCat(option.spec->name, "=", option.value));
  }
  return read;
}

TEST(OptionsTest, AVariableBeatsTheFileAndTheCommandLineBeatsBoth) {
  const std::string path =
      FileOf("listen: file\nname: [file1, file2]\nlog-level: file\nprivate: true\n");
  setenv("TEST_LOG_LEVEL", "variable", 1);
  setenv("TEST_OTHER_NAMES", "v1, v2", 1);
  setenv("TEST_CONFIG", path.c_str(), 1);
  const auto read = Read({"--log-level=word"});
  for (const char* name : {"TEST_LOG_LEVEL", "TEST_OTHER_NAMES", "TEST_CONFIG"}) unsetenv(name);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(*read,
              ElementsAre("listen=file", "private=true", "name=v1", "name=v2", "log-level=word"));
}

TEST(OptionsTest, BothFormsAndSwitchesOfTheCommandLine) {
  const auto read = Read({"--listen", "a", "--name=b", "--name=", "--private", "--help"});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(*read, ElementsAre("listen=a", "name=b", "name=", "private=true"));
  EXPECT_THAT(*Read({"--private=false"}), ElementsAre("private=false"));
  EXPECT_TRUE(OptionSources(kTable, {"-h"}).Asked("help"));
}

TEST(OptionsTest, TheSampleNamesEveryOptionAndIsGoodWithAllOfThemOn) {
  const std::string sample = SampleFile(kTable);
  EXPECT_TRUE(Read({"--config", FileOf(sample)})->empty()) << sample;
  const auto read = Read({"--config", FileOf(AllOn(sample))});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(*read, ElementsAre("listen=0.0.0.0:1", "name=a", "name=b", "log-level=debug",
                                 "private=true"));
}

TEST(OptionsTest, TheHelpNamesOptionsAndVariables) {
  const std::string help = OptionHelp(kTable);
  EXPECT_THAT(help, HasSubstr("   --listen HOST:PORT    Where to serve [$TEST_LISTEN]\n"));
  EXPECT_THAT(help, HasSubstr("[$TEST_OTHER_NAMES]"));
  EXPECT_THAT(help, HasSubstr("--check-config"));
}

TEST(OptionsTest, WhatChangedIsNamedOnce) {
  const auto before = OptionSources(kTable, {"--name=a", "--name=b", "--listen=x"}).Read();
  const auto after = OptionSources(kTable, {"--name=a", "--listen=x", "--private"}).Read();
  const std::vector<const OptionSpec*> changed = Changed(*before, *after);
  ASSERT_EQ(changed.size(), 2U);
  EXPECT_EQ(changed[0]->name, "name");
  EXPECT_EQ(changed[1]->name, "private");
}

struct BadCase {
  const char* label;
  const char* file;  // Empty: `word` is what is wrong.
  const char* word;
  const char* message;
};
class BadOptionsTest : public testing::TestWithParam<BadCase> {};
TEST_P(BadOptionsTest, NamesWhatIsWrong) {
  const BadCase& row = GetParam();
  std::vector<std::string> words;
  if (*row.file != '\0') words = {"--config", FileOf(row.file)};
  if (*row.word != '\0') words.emplace_back(row.word);
  const auto read = Read(words);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr(row.message));
}
INSTANTIATE_TEST_SUITE_P(Sources, BadOptionsTest,
                         testing::ValuesIn<BadCase>({
                             {"UnknownKey", "log_level: debug", "", "the nearest is log-level"},
                             {"UnknownFlag", "", "--listn=x",
                              "unknown option --listn; the nearest is listen"},
                             {"PlainWord", "", "listen", "unknown option listen"},
                             {"NoValue", "", "--listen", "--listen needs a value"},
                             {"NoFile", "", "--config=/nowhere", "/nowhere"},
                             {"ListOfOne", "listen: [a]", "", "takes one value"},
                             {"MapAsValue", "listen: {a: b}", "", "is not a text"},
                             {"MapInList", "name: [{a: b}]", "", "is not a list of texts"},
                             {"NoMap", "listen", "", "expected lines such as"},
                             {"NoYaml", "listen: [", "", "options.yaml"},
                             {"Twice", "listen: a\nlisten: b", "", "stands there twice"},
                             {"Switch", "private: maybe", "", "neither true nor false"},
                             {"ConfigInConfig", "config: x", "", "unknown option config"},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

}  // namespace
}  // namespace machine::common
