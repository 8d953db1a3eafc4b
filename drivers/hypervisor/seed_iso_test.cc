// Images are read by programs that others wrote: bsdtar, which prefers the Joliet names, and blkid,
// which cloud-init asks for the label.
#include "drivers/hypervisor/seed_iso.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"

namespace machine::driver::hypervisor {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class SeedIsoTest : public testing::Test {
 protected:
  SeedIsoTest() {
    char folder[] = "/tmp/isoXXXXXX";
    folder_ = mkdtemp(folder);
  }
  ~SeedIsoTest() override { std::filesystem::remove_all(folder_); }

  // Of `program` with the path of a file that holds `image`.
  std::string Output(const std::vector<std::string>& program, const std::string& image,
                     const std::vector<std::string>& more = {}) {
    const std::string path = folder_ + "/image.iso";
    EXPECT_TRUE(common::WriteFileAtomically(path, image, 0600).ok());
    std::vector<std::string> argv = program;
    argv.push_back(path);
    argv.insert(argv.end(), more.begin(), more.end());
    const auto ran = common::RunProgram(argv);
    EXPECT_TRUE(ran.ok()) << ran.status();
    if (!ran.ok()) return "";
    EXPECT_TRUE(ran->ok()) << ran->stderr_data;
    return ran->stdout_data;
  }

  std::string folder_;
};

constexpr char kKey[] = "ssh-ed25519 AAAAC3 it's \"mine\"";

GuestSeed Seed() {
  return {.instance_id = "5b1f",
          .hostname = "dev",
          .user = "machine",
          .ssh_public_key = kKey,
          .extra_user_data = ""};
}

TEST_F(SeedIsoTest, FilesAreReadBack) {
  std::string large(5000, 'x');
  large += "end";
  const std::string image =
      MakeIso("cidata", {{"meta-data", "one\n"}, {"user-data", large}, {"empty", ""}});
  EXPECT_EQ(Output({"bsdtar", "-tf"}, image), ".\nmeta-data\nuser-data\nempty\n");
  EXPECT_EQ(Output({"bsdtar", "-xOf"}, image, {"meta-data"}), "one\n");
  EXPECT_EQ(Output({"bsdtar", "-xOf"}, image, {"user-data"}), large);
  EXPECT_EQ(Output({"bsdtar", "-xOf"}, image, {"empty"}), "");
}

TEST_F(SeedIsoTest, PlainNamesAreThereForReadersWithoutJoliet) {
  const std::string image = MakeIso("cidata", {{"user-data", "one"}});
  EXPECT_EQ(Output({"bsdtar", "--options", "iso9660:!joliet", "-tf"}, image), ".\nUSER-DATA\n");
}

TEST_F(SeedIsoTest, LabelIsTheOneThatCloudInitLooksFor) {
  EXPECT_EQ(Output({"/usr/sbin/blkid", "-o", "value", "-s", "LABEL"}, MakeSeedIso(Seed())),
            "cidata\n");
  EXPECT_EQ(Output({"/usr/sbin/blkid", "-o", "value", "-s", "TYPE"}, MakeSeedIso(Seed())),
            "iso9660\n");
}

TEST_F(SeedIsoTest, SameSeedGivesTheSameBytes) {
  EXPECT_EQ(MakeSeedIso(Seed()), MakeSeedIso(Seed()));
}

TEST_F(SeedIsoTest, UserDataMakesTheAccountWithItsKey) {
  const std::string text = UserData(Seed());
  ASSERT_THAT(text, StartsWith("#cloud-config\n"));
  const json config = json::parse(text.substr(text.find('\n')));
  EXPECT_EQ(config["hostname"], "dev");
  EXPECT_EQ(config["ssh_pwauth"], false);
  EXPECT_EQ(config["users"][0]["name"], "machine");
  EXPECT_EQ(config["users"][0]["ssh_authorized_keys"], json::array({kKey}));
}

TEST_F(SeedIsoTest, SharedFoldersAreLinesOfFstab) {
  GuestSeed seed = Seed();
  seed.mounts = {{.source = "share0", .target = "/data", .type = "9p", .options = "nofail,ro"}};
  const std::string text = UserData(seed);
  const json config = json::parse(text.substr(text.find('\n')));
  EXPECT_EQ(config["mounts"],
            json::array({json::array({"share0", "/data", "9p", "nofail,ro", "0", "0"})}));
}

TEST_F(SeedIsoTest, MetaDataNamesTheInstance) {
  const json meta = json::parse(MetaData(Seed()));
  EXPECT_EQ(meta["instance-id"], "5b1f");
  EXPECT_EQ(meta["local-hostname"], "dev");
}

TEST_F(SeedIsoTest, UsersOwnDataIsAPartBesideOurs) {
  struct Row {
    std::string own;
    json type;
  };
  for (const Row& row : {Row{"#!/bin/sh\ntouch /x\n", "text/x-shellscript"},
                         Row{"#cloud-config\npackages: [git]\n", "text/cloud-config"},
                         Row{"#include\nhttps://example.org/x\n", nullptr}}) {
    GuestSeed seed = Seed();
    seed.extra_user_data = row.own;
    const std::string text = UserData(seed);
    ASSERT_THAT(text, StartsWith("#cloud-config-archive\n"));
    const json parts = json::parse(text.substr(text.find('\n')));
    ASSERT_EQ(parts.size(), 2U);
    EXPECT_THAT(parts[0]["content"].get<std::string>(), HasSubstr("ssh_authorized_keys"));
    EXPECT_EQ(parts[1]["content"], row.own);
    EXPECT_EQ(parts[1].value("type", json()), row.type) << row.own;
  }
}

}  // namespace
}  // namespace machine::driver::hypervisor
