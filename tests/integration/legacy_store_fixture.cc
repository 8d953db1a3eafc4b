#include "tests/integration/legacy_store_fixture.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/crypto/certificates.h"
#include "services/common/crypto/keys.h"
#include "services/common/file/file.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;

// Before 0.2: paths and swarm at the top, no ConfigVersion. The paths are another computer's.
constexpr char kVersion0[] = R"({"DriverName":"virtualbox","Driver":{"IPAddress":"192.0.2.100",
"SSHUser":"docker","SSHPort":53507,"MachineName":"box0",
"CaCertPath":"/Users/a/.docker/machine/certs/ca.pem","CPU":-1,"Memory":1024,"DiskSize":20000,
"Boot2DockerURL":"","HostOnlyCIDR":""},"StorePath":"/Users/a/.docker/machine/machines/box0",
"CaCertPath":"/Users/a/.docker/machine/certs/ca.pem",
"PrivateKeyPath":"/Users/a/.docker/machine/certs/ca-key.pem",
"ServerCertPath":"/Users/a/.docker/machine/machines/box0/server.pem",
"ServerKeyPath":"/Users/a/.docker/machine/machines/box0/server-key.pem",
"ClientCertPath":"/Users/a/.docker/machine/certs/cert.pem",
"ClientKeyPath":"/Users/a/.docker/machine/certs/key.pem",
"SwarmHost":"tcp://0.0.0.0:3376","SwarmMaster":false,"SwarmDiscovery":""})";

// 0.3 to 0.4: HostOptions, the authority's key as PrivateKeyPath.
constexpr char kVersion1[] = R"({"ConfigVersion":1,"Driver":{"IPAddress":"192.0.2.101",
"SSHUser":"root","SSHPort":22,"MachineName":"cloud1","AccessToken":"SECRET-do-token-1",
"DropletID":4711,"DropletName":"","Image":"ubuntu-14-04-x64","Region":"nyc3","SSHKeyID":99,
"Size":"512mb","IPv6":false,"Backups":true,"PrivateNetworking":false},"DriverName":"exotic-cloud",
"HostOptions":{"Driver":"","Memory":0,"Disk":0,"EngineOptions":{"ArbitraryFlags":[],"Dns":null,
"Env":[],"InsecureRegistry":["r.example:5000"],"Labels":["tier=web","provider=exotic-cloud"],
"StorageDriver":"aufs","TlsVerify":true,"RegistryMirror":[],"InstallURL":"https://get.docker.com"},
"SwarmOptions":{"IsSwarm":false,"Host":"tcp://0.0.0.0:3376","Strategy":"spread"},
"AuthOptions":{"StorePath":"","CaCertPath":"/h/.docker/machine/certs/ca.pem",
"ServerCertPath":"/h/.docker/machine/machines/cloud1/server.pem",
"PrivateKeyPath":"/h/.docker/machine/certs/ca-key.pem",
"ClientKeyPath":"/h/.docker/machine/certs/key.pem",
"ClientCertPath":"/h/.docker/machine/certs/cert.pem"}},
"StorePath":"/h/.docker/machine/machines/cloud1"})";

// 0.5: CertDir, CaPrivateKeyPath, StorePath in AuthOptions.
constexpr char kVersion2[] = R"({"ConfigVersion":2,"Driver":{"IPAddress":"192.0.2.102",
"SSHUser":"ubuntu","SSHPort":22,"MachineName":"aws2","AccessKey":"AKIAFAKE",
"SecretKey":"SECRET-aws-key-2","SessionToken":"","Region":"us-east-1","AMI":"ami-1",
"InstanceId":"i-0123","InstanceType":"t2.micro","SecurityGroupName":"docker-machine",
"VpcId":"vpc-1","SubnetId":"subnet-1","Zone":"a","RootSize":16},"DriverName":"amazonec2",
"HostOptions":{"EngineOptions":{"ArbitraryFlags":["log-driver=json-file"],"Env":["A=b c"]},
"SwarmOptions":{"IsSwarm":true,"Discovery":"consul://192.0.2.1:8500","Master":true,
"Host":"tcp://0.0.0.0:3376","Image":"swarm:latest","Strategy":"binpack"},
"AuthOptions":{"CertDir":"/h/.docker/machine/certs","CaCertPath":"/h/.docker/machine/certs/ca.pem",
"CaPrivateKeyPath":"/h/.docker/machine/certs/ca-key.pem","StorePath":"/h/.docker/machine"}},
"Name":"aws2","StorePath":"/h/.docker/machine/machines/aws2"})";

// 0.6 to 0.16.
constexpr char kVersion3[] = R"({
    "ConfigVersion": 3,
    "Driver": {"IPAddress": "127.0.0.1", "MachineName": "gen3", "SSHUser": "admin", "SSHPort": $PORT,
        "SSHKeyPath": "$ROOT/machines/gen3/id_rsa", "StorePath": "$ROOT", "SwarmMaster": false,
        "SwarmHost": "tcp://0.0.0.0:3376", "SwarmDiscovery": "", "EnginePort": $PORT, "SSHKey": ""},
    "DriverName": "generic",
    "HostOptions": {"Driver": "", "Memory": 0, "Disk": 0,
        "EngineOptions": {"ArbitraryFlags": [], "Dns": null, "GraphDir": "", "Env": [], "Ipv6": false,
            "InsecureRegistry": [], "Labels": ["role=ci"], "LogLevel": "", "StorageDriver": "overlay2",
            "SelinuxEnabled": false, "TlsVerify": true, "RegistryMirror": ["https://m.example"],
            "InstallURL": "https://get.docker.com"},
        "SwarmOptions": {"IsSwarm": false, "Address": "", "Discovery": "", "Agent": false,
            "Master": false, "Host": "tcp://0.0.0.0:3376", "Image": "swarm:latest",
            "Strategy": "spread", "Heartbeat": 0, "Overcommit": 0, "ArbitraryFlags": [],
            "ArbitraryJoinFlags": [], "Env": null, "IsExperimental": false},
        "AuthOptions": {"CertDir": "$ROOT/certs", "CaCertPath": "$ROOT/certs/ca.pem",
            "CaPrivateKeyPath": "$ROOT/certs/ca-key.pem", "CaCertRemotePath": "/etc/docker/ca.pem",
            "ServerCertPath": "$ROOT/machines/gen3/server.pem",
            "ServerKeyPath": "$ROOT/machines/gen3/server-key.pem",
            "ClientKeyPath": "$ROOT/certs/key.pem",
            "ServerCertRemotePath": "/etc/docker/server.pem",
            "ServerKeyRemotePath": "/etc/docker/server-key.pem",
            "ClientCertPath": "$ROOT/certs/cert.pem", "ServerCertSANs": ["gen3.example"],
            "StorePath": "$ROOT/machines/gen3"}},
    "Name": "gen3"
})";

constexpr char kUrlOnly[] = R"({"ConfigVersion":3,"Driver":{"IPAddress":"","MachineName":"url3",
"SSHUser":"","SSHPort":0,"SSHKeyPath":"","StorePath":"$ROOT","URL":"tcp://127.0.0.1:$PORT"},
"DriverName":"none","HostOptions":{"EngineOptions":{},"SwarmOptions":{},"AuthOptions":{}},
"Name":"url3"})";

std::string BodyOfPem(const std::string& pem) {
  const size_t begin = pem.find('\n') + 1;
  return pem.substr(begin, pem.find('\n', begin) - begin);
}

}  // namespace

LegacyStoreFixture::LegacyStoreFixture(std::string root) : root_(std::move(root)) {
  MakeCertificates();
  Put("certs/ca.pem", ca_pem_, 0644);
  Put("certs/ca-key.pem", ca_key_, 0600);
  Put("certs/cert.pem", cert_pem_, 0644);
  Put("certs/key.pem", key_pem_, 0600);
}

LegacyStoreFixture::LegacyStoreFixture(std::string root, int port)
    : LegacyStoreFixture(std::move(root)) {
  const std::string port_text = absl::StrCat(port);
  const auto fill = [&](const char* config) {
    return absl::StrReplaceAll(config, {{"$ROOT", root_}, {"$PORT", port_text}});
  };
  PutMachine("aws2", kVersion2);
  PutMachine("box0", kVersion0);
  // Release 0.5.0 kept what its driver wrote as bytes.
  PutMachine("bytes1", absl::StrCat(R"({"ConfigVersion":1,"DriverName":"virtualbox","RawDriver":")",
                                    absl::Base64Escape(R"({"IPAddress":"192.0.2.105","SSHPort":22,)"
                                                       R"("MachineName":"bytes1","Memory":512})"),
                                    R"("})"));
  PutMachine("cloud1", kVersion1);
  PutMachine("gen3", fill(kVersion3));
  Put("machines/gen3/ca.pem", ca_pem_, 0644);
  Put("machines/gen3/cert.pem", cert_pem_, 0644);
  Put("machines/gen3/key.pem", key_pem_, 0600);
  Put("machines/url3/config.json", fill(kUrlOnly), 0600);
  PutBadMachines();
}

std::vector<std::string> LegacyStoreFixture::GoodNames() {
  return {"aws2", "box0", "bytes1", "cloud1", "gen3", "url3"};
}

std::vector<std::string> LegacyStoreFixture::BadNames() {
  return {"bad_name", "broken", "empty", "newer"};
}

nlohmann::json LegacyStoreFixture::PutVersion3(const std::string& name, const std::string& driver,
                                               const std::string& fields) const {
  nlohmann::json all = {{"IPAddress", ""},
                        {"MachineName", name},
                        {"SSHUser", ""},
                        {"SSHPort", 22},
                        {"SSHKeyPath", absl::StrCat(root_, "/machines/", name, "/id_rsa")},
                        {"StorePath", root_},
                        {"SwarmMaster", false},
                        {"SwarmHost", "tcp://0.0.0.0:3376"},
                        {"SwarmDiscovery", ""}};
  all.update(nlohmann::json::parse(fields));
  const nlohmann::json config = {{"ConfigVersion", 3},
                                 {"Driver", all},
                                 {"DriverName", driver},
                                 {"HostOptions",
                                  {{"EngineOptions", nlohmann::json::object()},
                                   {"SwarmOptions", nlohmann::json::object()},
                                   {"AuthOptions", nlohmann::json::object()}}},
                                 {"Name", name}};
  PutMachine(name, config.dump(4));
  return all;
}

void LegacyStoreFixture::PutBadMachines() const {
  Put("machines/bad_name/config.json", R"({"DriverName":"none","Driver":{"URL":"tcp://h:1"}})",
      0600);
  Put("machines/broken/config.json", R"({"ConfigVersion": 3, "Driver": {"Acc)", 0600);
  Put("machines/empty/disk.vmdk", "x", 0600);
  Put("machines/newer/config.json", R"({"ConfigVersion":9,"DriverName":"none"})", 0600);
}

void LegacyStoreFixture::Put(const std::string& file, absl::string_view text, int mode) const {
  const std::string path = absl::StrCat(root_, "/", file);
  ASSERT_TRUE(common::EnsureDir(path.substr(0, path.rfind('/')), 0700).ok());
  ASSERT_TRUE(common::WriteFileAtomically(path, text, static_cast<mode_t>(mode)).ok());
}

void LegacyStoreFixture::PutMachine(const std::string& name, const std::string& config) const {
  const std::string folder = absl::StrCat("machines/", name, "/");
  Put(folder + "config.json", config, 0600);
  Put(folder + "id_rsa", ssh_key_, 0600);
  Put(folder + "id_rsa.pub", ssh_public_key_, 0644);
  Put(folder + "server.pem", server_pem_, 0644);
  Put(folder + "server-key.pem", server_key_, 0600);
}

void LegacyStoreFixture::MakeCertificates() {
  const auto ca = common::CertAuthority::Create("a", absl::Hours(24 * 1080));
  ASSERT_TRUE(ca.ok()) << ca.status();
  ca_pem_ = ca->cert_pem();
  ca_key_ = std::string(ca->key_pem().view());
  const auto client = ca->IssueClient({.common_name = "a"}, absl::Hours(24));
  const auto server = ca->IssueServer({"127.0.0.1", "localhost"}, absl::Hours(24));
  const auto ssh = common::GenerateSshKeyPair("a");
  ASSERT_TRUE(client.ok() && server.ok() && ssh.ok());
  cert_pem_ = client->cert_pem;
  key_pem_ = std::string(client->key_pem.view());
  server_pem_ = server->cert_pem;
  server_key_ = std::string(server->key_pem.view());
  ssh_key_ = std::string(ssh->private_key.view());
  ssh_public_key_ = ssh->public_key + "\n";
}

std::vector<std::string> LegacyStoreFixture::Secrets() const {
  return {"SECRET-do-token-1", "SECRET-aws-key-2", BodyOfPem(ca_key_), BodyOfPem(server_key_)};
}

std::map<std::string, std::string> LegacyStoreFixture::Snapshot(const std::string& folder) {
  std::map<std::string, std::string> snapshot;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat info = {};
    EXPECT_EQ(lstat(entry.path().c_str(), &info), 0);
    std::string& seen = snapshot[entry.path().string()];
    seen = absl::StrCat(info.st_mode, " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec, " ");
    if (entry.is_regular_file()) seen += common::ReadFile(entry.path().string()).value_or("?");
  }
  return snapshot;
}

}  // namespace machine::tests
