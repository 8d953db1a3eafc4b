#include "services/orchestrator/import/machine_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Of an installation of the original.
constexpr absl::string_view kOriginalConfig = R"({"ConfigVersion": 3, "DriverName": "none"})";

class MachineFolderTest : public testing::Test {
 protected:
  std::string Path(absl::string_view file) const { return absl::StrCat(storage_, "/", file); }

  std::string Contents(absl::string_view file) const {
    const absl::StatusOr<std::string> contents = common::ReadFile(Path(file));
    return contents.ok() ? *contents : std::string(contents.status().message());
  }

  mode_t Mode(absl::string_view file) const {
    struct stat info = {};
    EXPECT_EQ(stat(Path(file).c_str(), &info), 0) << file;
    return info.st_mode & 07777;
  }

  std::vector<std::string> Names(absl::string_view folder) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(Path(folder))) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  void MakeFile(absl::string_view file, absl::string_view contents) const {
    fs::create_directories(fs::path(Path(file)).parent_path());
    ASSERT_TRUE(common::WriteFileAtomically(Path(file), contents, 0600).ok());
  }

  absl::Status Write(absl::string_view name) {
    MachineRecord record = TestMachine(name);
    record.set_ssh_public_key("ssh-ed25519 AAAA");
    return folder_.Write(record, bundle_, "PRIVATE\n");
  }

  const std::string storage_ = NewTestFolder();
  const ClientBundle bundle_ = {.ca_pem = "CA\n", .cert_pem = "CERT\n", .key_pem = "KEY\n"};
  MachineFolder folder_{storage_};
};

TEST_F(MachineFolderTest, HasWhatReadersLookForWithTheRightModes) {
  ASSERT_TRUE(Write("dev").ok());
  EXPECT_THAT(Names("machines/dev"), UnorderedElementsAre("config.json", "ca.pem", "cert.pem",
                                                          "key.pem", "id_rsa", "id_rsa.pub"));
  EXPECT_THAT(Names("certs"), UnorderedElementsAre("ca.pem", "cert.pem", "key.pem"));
  for (const absl::string_view folder : {"machines/dev", "certs"}) {
    EXPECT_EQ(Mode(folder), 0700U);
    EXPECT_EQ(Contents(absl::StrCat(folder, "/ca.pem")), "CA\n");
    EXPECT_EQ(Contents(absl::StrCat(folder, "/cert.pem")), "CERT\n");
    EXPECT_EQ(Contents(absl::StrCat(folder, "/key.pem")), "KEY\n");
    EXPECT_EQ(Mode(absl::StrCat(folder, "/key.pem")), 0600U);
  }
  EXPECT_EQ(Contents("machines/dev/id_rsa"), "PRIVATE\n");
  EXPECT_EQ(Mode("machines/dev/id_rsa"), 0600U);
  EXPECT_EQ(Contents("machines/dev/id_rsa.pub"), "ssh-ed25519 AAAA\n");
  const auto config = nlohmann::json::parse(Contents("machines/dev/config.json"));
  EXPECT_EQ(config["ConfigVersion"], 3);
  EXPECT_EQ(config["Name"], "dev");
  EXPECT_EQ(config["MachineUid"], "uid-dev");
}

TEST_F(MachineFolderTest, SecretsDoNotReachTheConfig) {
  MachineRecord record = TestMachine("dev");
  auto* option = record.mutable_machine()->add_driver_options();
  option->set_name("none-token");
  option->set_secret_value("hunter2");
  ASSERT_TRUE(folder_.Write(record, bundle_, "").ok());
  EXPECT_FALSE(absl::StrContains(Contents("machines/dev/config.json"), "hunter2"));
}

TEST_F(MachineFolderTest, OnlyWhatChangedIsWrittenAgain) {
  ASSERT_TRUE(Write("dev").ok());
  // A replaced file is another inode; the link keeps the first one's from being used again.
  std::map<std::string, ino_t> before;
  const auto inodes = [&] {
    std::map<std::string, ino_t> found;
    for (const std::string& name : Names("machines/dev")) {
      struct stat info = {};
      EXPECT_EQ(stat(Path(absl::StrCat("machines/dev/", name)).c_str(), &info), 0);
      found[name] = info.st_ino;
    }
    return found;
  };
  before = inodes();
  ASSERT_TRUE(Write("dev").ok());
  EXPECT_EQ(inodes(), before);
  fs::create_hard_link(Path("machines/dev/config.json"), Path("old"));
  MachineRecord record = TestMachine("dev");
  record.set_ssh_public_key("ssh-ed25519 AAAA");
  record.mutable_machine()->mutable_endpoint()->add_ip_addresses("192.0.2.1");
  ASSERT_TRUE(folder_.Write(record, bundle_, "PRIVATE\n").ok());
  EXPECT_TRUE(absl::StrContains(Contents("machines/dev/config.json"), "192.0.2.1"));
  auto after = inodes();
  EXPECT_NE(after["config.json"], before["config.json"]);
  after["config.json"] = before["config.json"];
  EXPECT_EQ(after, before);
}

TEST_F(MachineFolderTest, WithoutAKeyThereIsNoIdRsa) {
  ASSERT_TRUE(Write("dev").ok());
  ASSERT_TRUE(folder_.Write(TestMachine("dev"), bundle_, "").ok());
  EXPECT_THAT(Names("machines/dev"),
              UnorderedElementsAre("config.json", "ca.pem", "cert.pem", "key.pem"));
}

TEST_F(MachineFolderTest, AMissingFileIsPutBack) {
  ASSERT_TRUE(Write("dev").ok());
  fs::remove(Path("machines/dev/cert.pem"));
  ASSERT_TRUE(Write("dev").ok());
  EXPECT_EQ(Contents("machines/dev/cert.pem"), "CERT\n");
}

TEST_F(MachineFolderTest, RemovesItsOwnFolderWithAllInIt) {
  ASSERT_TRUE(Write("dev").ok());
  MakeFile("machines/dev/sub/file", "of the user");
  EXPECT_TRUE(folder_.Remove("dev").ok());
  EXPECT_THAT(Names("machines"), IsEmpty());
  EXPECT_TRUE(folder_.Remove("dev").ok());
}

TEST_F(MachineFolderTest, AFolderOfTheOriginalIsForeignAndNeverTouched) {
  MakeFile("machines/old/config.json", kOriginalConfig);
  EXPECT_TRUE(folder_.ForeignFolderExists("old"));
  EXPECT_EQ(Write("old").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(folder_.Remove("old").ok());
  EXPECT_TRUE(folder_.Reconcile({}).ok());
  EXPECT_EQ(Contents("machines/old/config.json"), kOriginalConfig);
  EXPECT_THAT(Names("machines/old"), UnorderedElementsAre("config.json"));
}

struct OwnerCase {
  std::string label;
  std::string file;
  std::string contents;
  bool foreign;
};

class MachineFolderOwnerTest : public MachineFolderTest,
                               public testing::WithParamInterface<OwnerCase> {};

TEST_P(MachineFolderOwnerTest, TellsWhoseItIs) {
  fs::create_directories(Path("machines"));
  if (!GetParam().file.empty()) MakeFile(GetParam().file, GetParam().contents);
  EXPECT_EQ(folder_.ForeignFolderExists("dev"), GetParam().foreign);
}

INSTANTIATE_TEST_SUITE_P(
    Folders, MachineFolderOwnerTest,
    testing::ValuesIn<OwnerCase>({
        {"NothingThere", "", "", false},
        {"AnotherMachine", "machines/other/config.json", "{}", false},
        {"Marked", "machines/dev/config.json", R"({"MachineUid": "u"})", false},
        {"NotMarked", "machines/dev/config.json", "{}", true},
        {"CutConfig", "machines/dev/config.json", R"({"MachineUid": )", true},
        {"ConfigIsAList", "machines/dev/config.json", R"(["MachineUid"])", true},
        {"NoConfig", "machines/dev/id_rsa", "key", true},
        {"AFile", "machines/dev", "file", true},
    }),
    [](const auto& info) { return info.param.label; });

TEST_F(MachineFolderTest, AnEmptyFolderIsLeftOverFromACrashAndTakenOver) {
  fs::create_directories(Path("machines/dev"));
  EXPECT_FALSE(folder_.ForeignFolderExists("dev"));
  EXPECT_TRUE(Write("dev").ok());
}

TEST_F(MachineFolderTest, ALinkIsForeignAndNotFollowed) {
  ASSERT_TRUE(Write("target").ok());
  fs::create_directory_symlink(Path("machines/target"), Path("machines/dev"));
  EXPECT_TRUE(folder_.ForeignFolderExists("dev"));
  EXPECT_FALSE(Write("dev").ok());
  EXPECT_TRUE(folder_.Remove("dev").ok());
  EXPECT_EQ(Contents("machines/target/ca.pem"), "CA\n");
}

TEST_F(MachineFolderTest, ReconcileRemovesOurFoldersWithoutARecordOnly) {
  for (const absl::string_view name : {"kept", "gone1", "gone2"}) ASSERT_TRUE(Write(name).ok());
  MakeFile("machines/old/config.json", kOriginalConfig);
  MakeFile("machines/README", "of the user");
  EXPECT_TRUE(folder_.Reconcile({"other", "kept"}).ok());
  EXPECT_THAT(Names("machines"), UnorderedElementsAre("kept", "old", "README"));
}

TEST_F(MachineFolderTest, ReconcileOfAStorageWithoutMachinesIsFine) {
  EXPECT_TRUE(folder_.Reconcile({}).ok());
  EXPECT_FALSE(fs::exists(Path("machines")));
}

TEST_F(MachineFolderTest, TheAuthorityOfTheOriginalIsLeftAlone) {
  MakeFile("certs/ca.pem", "ORIGINAL");
  MakeFile("certs/ca-key.pem", "ORIGINAL KEY");
  ASSERT_TRUE(Write("dev").ok());
  EXPECT_EQ(Contents("certs/ca.pem"), "ORIGINAL");
  EXPECT_EQ(Contents("machines/dev/ca.pem"), "CA\n");
}

TEST_F(MachineFolderTest, AFolderImportedWhereItLiesIsLeftUntilItsCertificatesChange) {
  MakeFile("machines/dev/config.json", kOriginalConfig);
  MakeFile("machines/dev/disk.vmdk", "DISK");
  MakeFile("machines/dev/ca.pem", "CA\n");
  MakeFile("machines/dev/cert.pem", "CERT\n");
  MakeFile("machines/dev/key.pem", "KEY\n");
  MachineRecord record = TestMachine("dev");
  record.set_imported_from(Path("machines/dev"));
  EXPECT_TRUE(folder_.HasBundle("dev", bundle_));
  ASSERT_TRUE(folder_.Write(record, bundle_, "PRIVATE\n").ok());
  EXPECT_EQ(Contents("machines/dev/config.json"), kOriginalConfig);
  EXPECT_FALSE(fs::exists(Path("imported")));

  const ClientBundle ours = {.ca_pem = "OURS\n", .cert_pem = "C\n", .key_pem = "K\n"};
  EXPECT_FALSE(folder_.HasBundle("dev", ours));
  ASSERT_TRUE(folder_.Write(record, ours, "PRIVATE\n").ok());
  EXPECT_EQ(Contents("machines/dev/ca.pem"), "OURS\n");
  EXPECT_EQ(Contents("machines/dev/disk.vmdk"), "DISK");
  EXPECT_EQ(Contents("imported/dev/config.json"), kOriginalConfig);
  EXPECT_EQ(Contents("imported/dev/ca.pem"), "CA\n");
  EXPECT_EQ(Mode("imported/dev/key.pem"), 0600U);
}

TEST_F(MachineFolderTest, AFolderImportedWhereItLiesGoesWithItsMachine) {
  MakeFile("machines/dev/config.json", kOriginalConfig);
  ASSERT_TRUE(folder_.Remove("dev", Path("elsewhere/machines/dev")).ok());
  EXPECT_TRUE(fs::exists(Path("machines/dev"))) << "the machine came from another place";
  ASSERT_TRUE(folder_.Remove("dev", Path("machines/dev")).ok());
  EXPECT_FALSE(fs::exists(Path("machines/dev")));
}

TEST_F(MachineFolderTest, NoNameLeadsOutOfTheFolder) {
  MakeFile("victim/config.json", R"({"MachineUid": "u"})");
  for (const absl::string_view name : {"..", ".", "", "../victim", "a/../../victim"}) {
    EXPECT_FALSE(Write(name).ok()) << name;
    EXPECT_TRUE(folder_.Remove(name).ok()) << name;
    EXPECT_FALSE(folder_.ForeignFolderExists(name)) << name;
  }
  EXPECT_TRUE(fs::exists(Path("victim/config.json")));
}

TEST_F(MachineFolderTest, ReadersOfAFolderThatIsWrittenAgainAlwaysFindWholeFiles) {
  ASSERT_TRUE(Write("dev").ok());
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      MachineRecord record = TestMachine("dev");
      record.mutable_machine()->mutable_endpoint()->add_ip_addresses(absl::StrCat("192.0.2.", i));
      EXPECT_TRUE(folder_.Write(record, bundle_, "PRIVATE\n").ok());
    }
  });
  for (int i = 0; i < 200; ++i) {
    const auto config = nlohmann::json::parse(Contents("machines/dev/config.json"), nullptr, false);
    EXPECT_TRUE(config.is_object());
  }
  writer.join();
}

}  // namespace
}  // namespace machine::orchestrator
