// Every flag of a driver that the original's documentation names is still a flag of that driver,
// with the same variable of the environment. What a driver has is read in its README, whose table
// its own readme_test keeps in step with the schema.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/file/file.h"

namespace machine::tests {
namespace {

constexpr int64_t kMaxBytes = 1 << 20;
constexpr int kFlagsOfSpec = 138;
constexpr const char* kDrivers[] = {
    "amazonec2",  "azure",        "digitalocean",    "exoscale",     "generic",
    "google",     "hyper-v",      "openstack",       "rackspace",    "softlayer",
    "virtualbox", "vmwarefusion", "vmwarevcloudair", "vmwarevsphere"};

// The documentation has the two mixed up, the program had not.
constexpr const char* kMixedUp[] = {"vmwarefusion-disk-size", "vmwarefusion-memory-size"};

struct Flag {
  std::set<std::string> environment;
  std::string meaning;
};

std::set<std::string> Matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::set<std::string> all;
  for (auto it = std::sregex_iterator(text.begin(), text.end(), regex);
       it != std::sregex_iterator(); ++it) {
    all.insert((*it)[1]);
  }
  return all;
}

// The flags in the tables of `text`, with what the second column says of the environment.
std::map<std::string, Flag> FlagsOf(const std::string& text) {
  std::map<std::string, Flag> flags;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() < 5) continue;
    for (const std::string& name : Matches(cells[1], "`--([a-z0-9-]+)`")) {
      flags[name] = {Matches(cells[2], "`([A-Z0-9_]+)`"), cells[4]};
    }
  }
  return flags;
}

std::map<std::string, Flag> FlagsOfDriver(const std::string& driver) {
  const auto readme = common::ReadFile(absl::StrCat("drivers/", driver, "/README.md"), kMaxBytes);
  EXPECT_TRUE(readme.ok()) << readme.status();
  return readme.ok() ? FlagsOf(*readme) : std::map<std::string, Flag>();
}

// The documentation stands beside the folder of descriptions.
std::optional<std::string> Spec() {
  const char* const folder = std::getenv("MACHINE_SPECS_DIR");
  if (folder == nullptr) return std::nullopt;
  const auto text =
      common::ReadFile(absl::StrCat(folder, "/../000_fe300aa8c48b3ebd.txt"), kMaxBytes);
  return text.ok() ? std::make_optional(*text) : std::nullopt;
}

TEST(SpecFlagsTest, AreAllFlagsOfTheirDrivers) {
  const std::optional<std::string> spec = Spec();
  if (!spec.has_value())
    GTEST_SKIP() << "no documentation of the original beside MACHINE_SPECS_DIR";
  const std::map<std::string, Flag> documented = FlagsOf(*spec);
  int count = 0;
  for (const std::string driver : kDrivers) {
    const std::map<std::string, Flag> flags = FlagsOfDriver(driver);
    for (const std::string& name :
         Matches(*spec, absl::StrCat("--(", driver, "-[a-z0-9-]*[a-z0-9])"))) {
      ++count;
      const auto flag = flags.find(name);
      if (flag == flags.end()) {
        ADD_FAILURE() << "--" << name << " is no flag of " << driver;
        continue;
      }
      const auto row = documented.find(name);
      if (row == documented.end() || testing::Value(name, testing::AnyOfArray(kMixedUp))) continue;
      for (const std::string& variable : row->second.environment) {
        EXPECT_THAT(flag->second.environment, testing::Contains(variable)) << "--" << name;
      }
    }
  }
  EXPECT_EQ(count, kFlagsOfSpec);
}

TEST(SpecFlagsTest, WhatIsRetiredNamesAReasonOrAReplacement) {
  for (const std::string driver : kDrivers) {
    for (const auto& [name, flag] : FlagsOfDriver(driver)) {
      const size_t retired = flag.meaning.find("retired: ");
      if (retired == std::string::npos) continue;
      EXPECT_GT(flag.meaning.size(), retired + 20) << "--" << name << ": " << flag.meaning;
    }
  }
}

}  // namespace
}  // namespace machine::tests
