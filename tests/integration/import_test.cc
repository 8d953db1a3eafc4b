// The original's store taken over and given back, with the real programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"
#include "tests/fakes/engine/tls_engine.h"
#include "tests/integration/legacy_store_fixture.h"
#include "tests/integration/listener.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Lines(const std::vector<std::string>& names) {
  return absl::StrCat(absl::StrJoin(names, "\n"), "\n");
}

json ReadJson(const std::string& path) {
  return json::parse(common::ReadFile(path).value_or("null"), nullptr, false);
}

// Files below `folder` that have `text` in clear.
std::vector<std::string> FilesWith(const std::string& folder, const std::string& text) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const auto contents = common::ReadFile(entry.path().string());
    if (contents.ok() && contents->find(text) != std::string::npos) {
      files.push_back(entry.path().string());
    }
  }
  return files;
}

class StoreTest : public WorldTest {
 protected:
  std::string Path(absl::string_view leaf) const { return world_.Path(leaf); }
  const std::string& storage() const { return world_.storage(); }
  std::string machine_folder(absl::string_view name) const { return world_.machine_folder(name); }

  // The engine of machine "gen3", as its own docker-machine certified it.
  std::unique_ptr<fakes::TlsEngine> Engine(const LegacyStoreFixture& store) const {
    return std::make_unique<fakes::TlsEngine>(
        engine_.fd(), fakes::TlsEngine::Certificates{.cert_pem = store.server_pem(),
                                                     .key_pem = store.server_key(),
                                                     .ca_pem = store.ca_pem()});
  }

  Listener engine_;
};

class ImportTest : public StoreTest {
 protected:
  Outcome Import(absl::string_view flags = "--yes") {
    return Run(absl::StrCat("import ", flags, " ", legacy_.root()));
  }

  const LegacyStoreFixture legacy_{Path("legacy"), engine_.port()};
};

TEST_F(ImportTest, DryRunShowsAndChangesNothing) {
  const auto before = LegacyStoreFixture::Snapshot(legacy_.root());
  const Outcome seen = Import("--dry-run");
  EXPECT_EQ(seen.exit_code, 1) << "something is left out" << seen;
  EXPECT_THAT(seen.out, HasSubstr("box0       virtualbox     0         to be imported"));
  EXPECT_THAT(seen.out, HasSubstr("broken     -              -         left out"));
  EXPECT_THAT(seen.err, HasSubstr("broken: left out: its config.json is not JSON\n"));
  EXPECT_THAT(seen.err, HasSubstr("empty: left out: it has no config.json\n"));
  EXPECT_THAT(seen.err, HasSubstr("newer: left out: its config.json has version 9"));
  EXPECT_THAT(seen.err, HasSubstr("bad_name: left out: Invalid hostname specified"));
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_EQ(LegacyStoreFixture::Snapshot(legacy_.root()), before);
}

TEST_F(ImportTest, NoAtTheQuestionImportsNothing) {
  const Outcome seen = world_.RunWords({"import", legacy_.root()}, "n\n");
  EXPECT_EQ(seen.exit_code, 0) << seen;
  EXPECT_THAT(seen.out, HasSubstr("Import 6 machines? (y/n): "));
  EXPECT_EQ(Run("ls -q").out, "");
}

TEST_F(ImportTest, EveryEditionIsTakenOverOnceAndTheStoreStaysAsItWas) {
  const auto before = LegacyStoreFixture::Snapshot(legacy_.root());
  const Outcome first = Import();
  EXPECT_EQ(first.exit_code, 1) << "something is left out" << first;
  EXPECT_THAT(first.out,
              HasSubstr("Imported 6 machines: aws2, box0, bytes1, cloud1, gen3, url3\n"));
  EXPECT_EQ(Run("ls -q").out, Lines(LegacyStoreFixture::GoodNames()));
  const Outcome second = Import();
  EXPECT_THAT(second.out, HasSubstr("There is nothing to import.\n"));
  EXPECT_THAT(second.out, HasSubstr("imported before"));
  EXPECT_EQ(Run("ls -q").out, Lines(LegacyStoreFixture::GoodNames()));
  EXPECT_EQ(LegacyStoreFixture::Snapshot(legacy_.root()), before);
}

TEST_F(ImportTest, OptionsFactsAndSwarmComeAlong) {
  Import();
  EXPECT_EQ(Run("inspect -f {{.DriverName}} box0").out, "virtualbox\n");
  EXPECT_EQ(Run("inspect -f {{.Driver.Memory}} bytes1").out, "512\n");
  EXPECT_EQ(Run("inspect -f {{.Driver.Region}} aws2").out, "us-east-1\n");
  EXPECT_EQ(Run("inspect -f {{.HostOptions.SwarmOptions.Strategy}} aws2").out, "binpack\n");
  EXPECT_EQ(Run("inspect -f {{.HostOptions.EngineOptions.Env}} aws2").out, "[A=b c]\n");
  EXPECT_EQ(Run("inspect -f {{.HostOptions.EngineOptions.Labels}} cloud1").out, "[tier=web]\n");
  EXPECT_EQ(Run("inspect -f {{.HostOptions.AuthOptions.ServerCertSANs}} gen3").out,
            "[gen3.example]\n");
  EXPECT_EQ(Run("ip cloud1").out, "192.0.2.101\n") << "from the record: its driver is unknown";
  EXPECT_EQ(Run("url url3").out, absl::StrCat(engine_.url(), "\n"));
}

TEST_F(ImportTest, TheEngineGoesOnToBeTrustedByTheStoresAuthority) {
  const auto engine = Engine(legacy_);
  Import();
  const Outcome env = Run("env --shell bash gen3");
  ASSERT_EQ(env.exit_code, 0) << env;
  const std::string folder = machine_folder("gen3");
  EXPECT_THAT(env.out, HasSubstr(absl::StrCat("DOCKER_CERT_PATH=\"", folder, "\"")));
  EXPECT_EQ(common::ReadFile(folder + "/ca.pem").value_or(""), legacy_.ca_pem());
  EXPECT_EQ(common::ReadFile(folder + "/cert.pem").value_or(""), legacy_.cert_pem());
  EXPECT_EQ(common::ReadFile(folder + "/id_rsa").value_or(""), legacy_.ssh_key());
  EXPECT_EQ(Run("config gen3").exit_code, 0);
  EXPECT_EQ(Run("status gen3").out, "Running\n");
}

TEST_F(ImportTest, SecretsAreInNoFileInClear) {
  Import();
  Run("ls");
  for (const std::string& secret : legacy_.Secrets()) {
    ASSERT_FALSE(FilesWith(legacy_.root(), secret).empty()) << "the test looks for what is there";
    EXPECT_THAT(FilesWith(storage(), secret), testing::IsEmpty()) << secret;
  }
  const Outcome shown = Run("inspect aws2");
  EXPECT_THAT(shown.out, Not(HasSubstr("SECRET")));
}

TEST_F(ImportTest, ACrashLeavesWholeMachinesAndTheNextRunGoesOn) {
  const auto engine = Engine(legacy_);
  for (const char* point : {"before_effect", "after_commit"}) {
    const std::string once = Path("once");
    ASSERT_TRUE(common::WriteFileAtomically(once, "", 0600).ok());
    World world;
    const Outcome crashed =
        world.Run(absl::StrCat("import --yes ", legacy_.root()),
                  {{"MACHINE_FAILPOINTS", absl::StrCat("import.machine.", point, "@", once)}});
    EXPECT_FALSE(fs::exists(once)) << "it has died there" << crashed;
    world.Run(absl::StrCat("import --yes ", legacy_.root()));
    EXPECT_EQ(world.Run("ls -q").out, Lines(LegacyStoreFixture::GoodNames())) << point;
    EXPECT_EQ(world.Run("config gen3").exit_code, 0) << point;
    world.End();
  }
}

TEST_F(ImportTest, ANameThatIsTakenIsLeftOut) {
  Run(absl::StrCat("create -d none --url=", engine_.url(), " gen3"));
  const Outcome seen = Import();
  EXPECT_THAT(seen.err, HasSubstr("gen3: left out: there is a machine of this name already"));
  EXPECT_EQ(Run("inspect -f {{.DriverName}} gen3").out, "none\n");
}

// What else may be among the machines' folders.
TEST_F(ImportTest, OddEntriesAreLeftOutByNameAndTheOthersComeAlong) {
  const std::string machines = legacy_.root() + "/machines";
  const std::string config = common::ReadFile(machines + "/url3/config.json").value();
  const auto put = [&](const std::string& name) {
    ASSERT_TRUE(common::EnsureDir(machines + "/" + name, 0700).ok());
    ASSERT_TRUE(
        common::WriteFileAtomically(machines + "/" + name + "/config.json", config, 0600).ok());
  };
  put("\xff\xfe");
  put("two\nlines\x1b[31m");
  ASSERT_TRUE(common::EnsureDir(machines + "/folder/config.json", 0700).ok());
  ASSERT_TRUE(common::EnsureDir(machines + "/fifo", 0700).ok());
  ASSERT_EQ(mkfifo((machines + "/fifo/config.json").c_str(), 0600), 0);
  ASSERT_TRUE(common::EnsureDir(machines + "/link", 0700).ok());
  fs::create_symlink(Path("nowhere"), machines + "/link/config.json");
  fs::create_symlink(Path("nowhere"), machines + "/gone");
  // A machine that lies elsewhere is as good as the others.
  ASSERT_TRUE(common::EnsureDir(Path("disk2/far"), 0700).ok());
  ASSERT_TRUE(common::WriteFileAtomically(Path("disk2/far/config.json"), config, 0600).ok());
  fs::create_directory_symlink(Path("disk2/far"), machines + "/far");

  const auto before = LegacyStoreFixture::Snapshot(legacy_.root());
  const Outcome seen = Import();
  EXPECT_EQ(seen.exit_code, 1) << seen;
  EXPECT_THAT(seen.err, HasSubstr("\\xff\\xfe: left out: Invalid hostname specified"));
  EXPECT_THAT(seen.err, HasSubstr("two\\nlines\\x1b[31m: left out: Invalid hostname specified"));
  EXPECT_THAT(seen.err, HasSubstr("folder: left out: its config.json cannot be read: "));
  EXPECT_THAT(seen.err, HasSubstr("fifo: left out: its config.json cannot be read: "));
  EXPECT_THAT(seen.err, HasSubstr("link: left out: it has no config.json\n"));
  EXPECT_THAT(seen.out, Not(HasSubstr("gone")));
  EXPECT_THAT(seen.out,
              HasSubstr("Imported 7 machines: aws2, box0, bytes1, cloud1, far, gen3, url3\n"));
  EXPECT_EQ(LegacyStoreFixture::Snapshot(legacy_.root()), before);

  // Its docker-machine was writing it just then.
  ASSERT_TRUE(common::WriteFileAtomically(machines + "/broken/config.json", config, 0600).ok());
  EXPECT_THAT(Import().out, HasSubstr("Imported 1 machine: broken\n"));
}

TEST_F(ImportTest, OfTwoImportsAtOnceNeitherLeavesOutWhatTheOtherTook) {
  Run("ls");  // Both ask the same orchestrator.
  const std::vector<Outcome> seen = AllAtOnce(4, [&](int) { return Import(); });
  for (const Outcome& each : seen) {
    EXPECT_EQ(each.exit_code, 1) << "something is left out" << each;
    EXPECT_THAT(each.err, Not(HasSubstr("already"))) << each;
    for (const std::string& name : LegacyStoreFixture::GoodNames()) {
      EXPECT_THAT(each.err, Not(HasSubstr(name + ": left out"))) << each;
    }
  }
  EXPECT_EQ(Run("ls -q").out, Lines(LegacyStoreFixture::GoodNames()));
}

TEST_F(ImportTest, AWrongPathIsNamed) {
  const Outcome seen = Run(absl::StrCat("import ", Path("nowhere")));
  EXPECT_EQ(seen.exit_code, 1);
  EXPECT_EQ(seen.err, absl::StrCat("there is no docker-machine store at ", Path("nowhere"),
                                   ": it would have a folder \"machines\"\n"));
}

TEST_F(ImportTest, WhatIsExportedHasSecretsPrivateKeysAndVersion3) {
  Import();
  const std::string out = Path("out");
  const Outcome exported = Run(absl::StrCat("export ", out));
  ASSERT_EQ(exported.exit_code, 0) << exported;
  const json aws = ReadJson(out + "/machines/aws2/config.json");
  EXPECT_EQ(aws["ConfigVersion"], 3);
  EXPECT_EQ(aws["Driver"]["SecretKey"], "SECRET-aws-key-2");
  EXPECT_EQ(aws["Driver"]["InstanceId"], "i-0123");
  EXPECT_EQ(aws["Driver"]["StorePath"], out);
  EXPECT_EQ(aws["HostOptions"]["AuthOptions"]["CaPrivateKeyPath"], out + "/certs/ca-key.pem");
  EXPECT_EQ(ReadJson(out + "/machines/cloud1/config.json")["Driver"]["AccessToken"],
            "SECRET-do-token-1");
  for (const char* file : {"config.json", "id_rsa", "key.pem", "server-key.pem"}) {
    struct stat info = {};
    ASSERT_EQ(stat((out + "/machines/gen3/" + file).c_str(), &info), 0) << file;
    EXPECT_EQ(info.st_mode & 07777, 0600U) << file;
  }
  EXPECT_EQ(common::ReadFile(out + "/certs/ca.pem").value_or(""), legacy_.ca_pem());
  EXPECT_EQ(Run(absl::StrCat("export ", out)).exit_code, 1) << "never over something";
  EXPECT_EQ(Run(absl::StrCat("export ", Path("one"), " nope")).exit_code, 1);
  EXPECT_FALSE(fs::exists(Path("one")));
}

TEST_F(ImportTest, WhatIsExportedCanBeImportedAgainWithoutLoss) {
  Import();
  const std::string once = Path("once-out");
  const std::string twice = Path("twice-out");
  ASSERT_EQ(Run(absl::StrCat("export ", once)).exit_code, 0);
  World other;
  ASSERT_EQ(other.Run(absl::StrCat("import --yes ", once)).exit_code, 0);
  ASSERT_EQ(other.Run(absl::StrCat("export ", twice)).exit_code, 0);
  other.End();
  for (const auto& entry : fs::recursive_directory_iterator(once)) {
    if (!entry.is_regular_file()) continue;
    const std::string file = entry.path().string().substr(once.size());
    const std::string first = common::ReadFile(once + file).value_or("?");
    const std::string second = common::ReadFile(twice + file).value_or("missing");
    EXPECT_EQ(absl::StrReplaceAll(second, {{twice, once}}), first) << file;
  }
}

// The original was taken out of PATH and this program put in its place.
class DropInTest : public StoreTest {
 protected:
  const LegacyStoreFixture legacy_{storage(), engine_.port()};
};

TEST_F(DropInTest, TheUserIsToldWhatToRun) {
  const Outcome listed = Run("ls");
  EXPECT_EQ(listed.exit_code, 0) << listed;
  EXPECT_EQ(listed.err, absl::StrCat("8 machines of another docker-machine are in ", storage(),
                                     ": aws2, bad_name, box0, ...\n"
                                     "To take them over, run: docker-machine import\n"));
  EXPECT_EQ(Run("ls -q").err, "") << "scripts are left in peace";
  const Outcome unknown = Run("ip gen3");
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("Docker machine \"gen3\" does not exist."));
  EXPECT_THAT(unknown.err, HasSubstr("To take it over, run: docker-machine import\n"));
}

TEST_F(DropInTest, MachinesAreUsedWhereTheyAre) {
  const auto engine = Engine(legacy_);
  const auto before = LegacyStoreFixture::Snapshot(storage() + "/machines");
  EXPECT_THAT(Run("import -y").out, HasSubstr("Imported 6 machines"));
  EXPECT_EQ(LegacyStoreFixture::Snapshot(storage() + "/machines"), before);
  const Outcome env = Run("env --shell bash gen3");
  EXPECT_THAT(env.out, HasSubstr(machine_folder("gen3"))) << env;
  EXPECT_EQ(LegacyStoreFixture::Snapshot(storage() + "/machines"), before);
  const Outcome removed = Run("rm -y gen3");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_FALSE(fs::exists(machine_folder("gen3"))) << "as the original would";
  EXPECT_TRUE(fs::exists(machine_folder("box0") + "/config.json"));
}

}  // namespace
}  // namespace machine::tests
