#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/orchestrator/import/legacy_drivers.h"
#include "services/orchestrator/import/legacy_entry.h"
#include "services/orchestrator/import/legacy_store.h"

namespace machine::orchestrator {
namespace {

using machine::v1::FlagSpec;
using machine::v1::OptionValue;
using nlohmann::ordered_json;

// One line a fault: what is in config.json, and what the user reads.
struct BadConfigCase {
  absl::string_view label, text, reason;
};
class BadConfigTest : public testing::TestWithParam<BadConfigCase> {};
TEST_P(BadConfigTest, IsRefusedWithAReason) {
  const auto entry = ParseLegacyEntry(GetParam().text);
  EXPECT_EQ(entry.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(entry.status().message(), GetParam().reason);
}
INSTANTIATE_TEST_SUITE_P(
    Faults, BadConfigTest,
    testing::ValuesIn<BadConfigCase>({
        {"EmptyFile", "", "its config.json is not JSON"},
        {"CutShort", R"({"ConfigVersion": 3, "Dri)", "its config.json is not JSON"},
        {"AList", "[]", "its config.json is not an object"},
        {"FromTheFuture", R"({"ConfigVersion": 4, "DriverName": "none", "Driver": {"URL": "x"}})",
         "its config.json has version 4; versions 0 to 3 can be read: it was made by a newer "
         "docker-machine"},
        {"NoDriverName", R"({"ConfigVersion": 3, "Driver": {"URL": "x"}})",
         "its config.json names no driver"},
        {"DriverThatIsAPath",
         R"({"ConfigVersion": 3, "DriverName": "../x", "Driver": {"URL": "x"}})",
         "its config.json names a driver by what no driver is called"},
        {"DriverThatColoursTheTerminal",
         R"({"ConfigVersion": 3, "DriverName": "x\u001b[31m", "Driver": {"URL": "x"}})",
         "its config.json names a driver by what no driver is called"},
        {"NoDriver", R"({"ConfigVersion": 3, "DriverName": "none"})",
         "its config.json says nothing of the driver's machine"},
        {"NullDriver", R"({"ConfigVersion": 3, "DriverName": "none", "Driver": null})",
         "its config.json says nothing of the driver's machine"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(LegacyEntryTest, Version0HasItsPathsAndSwarmAtTheTop) {
  const auto entry = ParseLegacyEntry(R"({
      "DriverName": "virtualbox", "StorePath": "/home/a/.docker/machine/machines/dev",
      "CaCertPath": "/home/a/.docker/machine/certs/ca.pem",
      "PrivateKeyPath": "/home/a/.docker/machine/certs/ca-key.pem",
      "ClientCertPath": "/home/a/.docker/machine/certs/cert.pem",
      "SwarmMaster": true, "SwarmHost": "tcp://0.0.0.0:3377", "SwarmDiscovery": "consul://h:8500",
      "Driver": {"MachineName": "dev", "SSHPort": 2022, "Memory": 1024}})");
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->version, 0);
  EXPECT_EQ(entry->paths.ca_key, "/home/a/.docker/machine/certs/ca-key.pem");
  EXPECT_EQ(entry->paths.client_cert, "/home/a/.docker/machine/certs/cert.pem");
  EXPECT_TRUE(entry->swarm.master());
  EXPECT_EQ(entry->swarm.discovery(), "consul://h:8500");
  EXPECT_EQ(entry->swarm.host(), "tcp://0.0.0.0:3377");
  EXPECT_EQ(LegacyText(entry->fields, "StorePath"), "/home/a/.docker/machine")
      << "the driver finds its disk by it";
}

TEST(LegacyEntryTest, TheStoreOfAWindowsComputerIsKnown) {
  const auto entry = ParseLegacyEntry(R"({"DriverName": "hyper-v",
      "StorePath": "C:\\Users\\a\\.docker\\machine\\machines\\dev", "Driver": {"MachineName": "dev"}})");
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(LegacyText(entry->fields, "StorePath"), R"(C:\Users\a\.docker\machine)");
}

TEST(LegacyEntryTest, Version3HasEngineSwarmAndNamesOfTheCertificate) {
  const auto entry = ParseLegacyEntry(R"({
      "ConfigVersion": 3, "DriverName": "generic", "Driver": {"IPAddress": "192.0.2.7"},
      "HostOptions": {
        "EngineOptions": {"ArbitraryFlags": ["bip=10.0.0.1/24"], "Labels": ["a=b","provider=generic"],
          "Env": ["X=1"], "InsecureRegistry": ["r:5000"], "RegistryMirror": ["https://m"],
          "StorageDriver": "overlay2", "InstallURL": "https://get.docker.com"},
        "SwarmOptions": {"IsSwarm": false, "Host": "tcp://0.0.0.0:3376", "Strategy": "spread"},
        "AuthOptions": {"CaPrivateKeyPath": "/s/certs/ca-key.pem", "ServerCertSANs": ["n.example"]}}})");
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->engine.labels_size(), 1) << "the label of the provider is added by provision";
  EXPECT_EQ(entry->engine.arbitrary_flags(0), "bip=10.0.0.1/24");
  EXPECT_EQ(entry->engine.env(0), "X=1");
  EXPECT_EQ(entry->engine.install_url(), "") << "the original's default is ours, too";
  EXPECT_FALSE(entry->swarm.is_swarm());
  EXPECT_EQ(entry->auth.server_cert_sans(0), "n.example");
  EXPECT_EQ(entry->paths.ca_key, "/s/certs/ca-key.pem");
}

TEST(LegacyEntryTest, DriverAsBytesOfRelease050IsRead) {
  const std::string raw = absl::Base64Escape(R"({"IPAddress":"192.0.2.9","SSHUser":"docker"})");
  const auto entry = ParseLegacyEntry(absl::StrCat(
      R"({"ConfigVersion": 1, "DriverName": "virtualbox", "RawDriver": ")", raw, R"("})"));
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(LegacyText(entry->fields, "IPAddress"), "192.0.2.9");
}

TEST(LegacyEntryTest, Version3OfAnOldOneKeepsWhatItDoesNotKnow) {
  const auto config = ToLegacyVersion3(R"({
      "ConfigVersion": 1, "DriverName": "exotic", "Future": {"x": 1}, "StorePath": "/s/machines/a",
      "Driver": {"MachineName": "a", "Odd": [1, 2]},
      "HostOptions": {"AuthOptions": {"PrivateKeyPath": "/s/certs/ca-key.pem", "StorePath": ""}}})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ((*config)["ConfigVersion"], 3);
  EXPECT_EQ((*config)["Future"]["x"], 1);
  EXPECT_EQ((*config)["Driver"]["Odd"], ordered_json({1, 2}));
  EXPECT_EQ((*config)["HostOptions"]["AuthOptions"]["CaPrivateKeyPath"], "/s/certs/ca-key.pem");
  EXPECT_EQ((*config)["HostOptions"]["AuthOptions"]["StorePath"], "/s/machines/a");
  EXPECT_FALSE(config->contains("StorePath"));
}

std::map<std::string, OptionValue> ByName(const std::vector<OptionValue>& options) {
  std::map<std::string, OptionValue> by_name;
  for (const OptionValue& option : options) by_name[option.name()] = option;
  return by_name;
}

TEST(LegacyDriversTest, EveryDriverOfTheSpecIsKnown) {
  for (const char* name : {"amazonec2", "azure", "digitalocean", "exoscale", "generic", "google",
                           "hyperv", "none", "openstack", "rackspace", "softlayer", "virtualbox",
                           "vmwarefusion", "vmwarevcloudair", "vmwarevsphere"}) {
    const LegacyDriver* const driver = FindLegacyDriver(name);
    ASSERT_NE(driver, nullptr) << name;
    EXPECT_FALSE(driver->fields.empty()) << name;
    for (const LegacyField& field : driver->fields) {
      EXPECT_TRUE(field.option == "url" || field.option.find(driver->ours) == 0) << field.option;
    }
  }
  EXPECT_EQ(FindLegacyDriver("hetzner"), nullptr);
  EXPECT_EQ(FindLegacyDriverOfOurs("hyper-v")->name, "hyperv") << "the name that 0.16 knows";
}

TEST(LegacyDriversTest, SecretsAreMarkedAndZeroesLeftOut) {
  std::vector<std::string> warnings;
  const auto options = ByName(OptionsOfLegacy(
      *FindLegacyDriver("amazonec2"),
      ordered_json::parse(
          R"({"AccessKey": "AK", "SecretKey": "SK", "Region": "eu-west-1", "AMI": "",
          "RootSize": 16, "SecurityGroupName": "old", "SecurityGroupNames": ["new"], "Tags": null,
          "OpenPorts": [], "Monitoring": false})"),
      {}, warnings));
  EXPECT_EQ(options.at("amazonec2-secret-key").secret_value(), "SK");
  EXPECT_EQ(options.at("amazonec2-root-size").int_value(), 16);
  EXPECT_EQ(options.at("amazonec2-security-group").list_value().values(0), "new");
  EXPECT_EQ(options.count("amazonec2-ami"), 0U);
  EXPECT_EQ(options.count("amazonec2-tags"), 0U);
  EXPECT_TRUE(warnings.empty());
}

TEST(LegacyDriversTest, TheDriversOwnFlagsDecideOnTypesAndNames) {
  std::vector<FlagSpec> flags(2);
  flags[0].set_name("exoscale-security-group");
  flags[0].set_type(FlagSpec::STRING);
  flags[1].set_name("exoscale-secret");
  flags[1].add_aliases("exoscale-api-secret-key");
  flags[1].set_type(FlagSpec::STRING);
  flags[1].set_secret(true);
  std::vector<std::string> warnings;
  const auto options = ByName(OptionsOfLegacy(
      *FindLegacyDriver("exoscale"),
      ordered_json::parse(R"({"ApiSecretKey": "S", "SecurityGroups": ["a", "b"], "DiskSize": 50})"),
      flags, warnings));
  EXPECT_EQ(options.at("exoscale-security-group").string_value(), "a,b");
  EXPECT_EQ(options.at("exoscale-secret").secret_value(), "S");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0],
            "the exoscale driver has no option for DiskSize; it is kept for export only");
}

TEST(LegacyDriversTest, NestedFieldsAreReadAndWritten) {
  const LegacyDriver& driver = *FindLegacyDriver("softlayer");
  std::vector<std::string> warnings;
  const auto fields =
      ordered_json::parse(R"({"Client": {"User": "u", "ApiKey": "k", "Endpoint": "https://e"}})");
  const std::vector<OptionValue> options = OptionsOfLegacy(driver, fields, {}, warnings);
  EXPECT_EQ(ByName(options).at("softlayer-api-key").secret_value(), "k");
  ordered_json back;
  PutLegacyOptions(driver, options, back);
  EXPECT_EQ(back, fields);
}

// A store in a folder of its own.
class LegacyStoreTest : public testing::Test {
 protected:
  void Put(const std::string& file, const std::string& text) {
    const std::string path = absl::StrCat(root_, "/", file);
    ASSERT_TRUE(common::EnsureDir(path.substr(0, path.rfind('/')), 0700).ok());
    ASSERT_TRUE(common::WriteFileAtomically(path, text, 0600).ok());
  }

  const std::string root_ = absl::StrCat(
      testing::TempDir(), "/", testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(LegacyStoreTest, NamesAreTheOriginalsInNaturalOrder) {
  Put("machines/dev10/config.json", "{}");
  Put("machines/dev2/config.json", "{}");
  Put("machines/ours/config.json", R"({"MachineUid": "u"})");
  Put("machines/.hidden/config.json", "{}");
  Put("machines/empty/disk.vmdk", "x");
  Put("machines/a-file", "x");
  const auto store = LegacyStore::Open(root_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(*store->Names(), (std::vector<std::string>{"dev2", "dev10", "empty"}));
  EXPECT_EQ(store->ReadConfig("empty").status().message(), "it has no config.json");
}

TEST_F(LegacyStoreTest, FilesAreFoundInAStoreThatWasMoved) {
  Put("machines/dev/config.json", "{}");
  Put("machines/dev/id_docker_host_vsphere", "ssh");
  Put("machines/dev/server.pem", "server");
  Put("certs/ca.pem", "ca");
  Put("certs/ca-key.pem", "ca-key");
  Put("certs/mine.pem", "cert");
  Put("certs/key.pem", "key");
  const auto store = LegacyStore::Open(root_);
  ASSERT_TRUE(store.ok()) << store.status();
  const LegacyFiles files =
      store->ReadFiles("dev", {.ca_cert = "/Users/a/.docker/machine/certs/ca.pem",
                               .ca_key = "/Users/a/.docker/machine/certs/ca-key.pem",
                               .client_cert = "C:\\Users\\a\\certs\\mine.pem",
                               .client_key = "",
                               .server_cert = "",
                               .server_key = "",
                               .ssh_key = "/Users/a/machines/dev/id_docker_host_vsphere"});
  EXPECT_EQ(files.tls.ca_pem, "ca");
  EXPECT_EQ(files.tls.ca_key_pem, "ca-key");
  EXPECT_EQ(files.tls.cert_pem, "cert");
  EXPECT_EQ(files.tls.key_pem, "key");
  EXPECT_EQ(files.server_cert_pem, "server");
  EXPECT_EQ(files.server_key_pem, "");
  EXPECT_EQ(files.ssh_private_key, "ssh");
}

TEST_F(LegacyStoreTest, AFolderWithoutMachinesIsNoStore) {
  Put("certs/ca.pem", "ca");
  EXPECT_EQ(LegacyStore::Open(root_).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LegacyStore::Open("relative").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(StoreTlsTest, ComesBackAsItWas) {
  const StoreTls tls{.ca_pem = "a\n", .cert_pem = "b", .key_pem = "c", .ca_key_pem = "d"};
  const auto back = StoreTls::FromText(tls.ToText());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ca_pem, "a\n");
  EXPECT_EQ(back->ca_key_pem, "d");
  EXPECT_TRUE(absl::IsDataLoss(StoreTls::FromText("").status()));
}

}  // namespace
}  // namespace machine::orchestrator
