// A store with a machine of each driver of the original, taken over with the real drivers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "services/common/file/file.h"
#include "tests/integration/legacy_store_fixture.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// What release 0.16 wrote of a machine into `Driver`, and what becomes of it.
struct LegacyMachine {
  /// Of our driver.
  std::string driver;
  /// As in DriverName.
  std::string legacy_name;
  std::string fields;
  /// Template of `inspect`, and its answer.
  std::string format;
  std::string answer;
  /// What the user is told, without the machine's name.
  std::vector<std::string> notes;
};

std::vector<LegacyMachine> LegacyMachines() {
  return {
      {"amazonec2",
       "amazonec2",
       R"({"AccessKey":"AKIAFAKE","SecretKey":"SECRET-aws","Region":"eu-west-1","AMI":"ami-1",
           "InstanceId":"i-0123","InstanceType":"t2.micro","SecurityGroupNames":["web","db"],
           "VpcId":"vpc-1","SubnetId":"subnet-1","Zone":"a","RootSize":16,"VolumeType":"gp2",
           "KeyName":"dev","UsePrivateIP":true,"PrivateIPAddress":"10.0.0.7","RetryCount":5,
           "OpenPorts":["8080"],"Monitoring":false,"Endpoint":"http://127.0.0.1:1"})",
       "{{.Driver.Region}} {{.Driver.IPAddress}}",
       "eu-west-1 10.0.0.7",
       {"the amazonec2 driver has no option for OpenPorts; it is kept for export only",
        "the amazonec2 driver has no option for RetryCount; it is kept for export only"}},
      {"azure",
       "azure",
       R"({"SubscriptionID":"0f8fad5b-d9cb-469f-a165-70867728950e","ClientID":"c","TenantID":"t",
           "ClientSecret":"SECRET-azure","Environment":"AzurePublicCloud","Location":"westeurope",
           "ResourceGroup":"docker-machine","Size":"Standard_A2",
           "Image":"canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2:latest",
           "VirtualNetwork":"vnet","SubnetName":"subnet","SubnetPrefix":"192.168.0.0/16",
           "AvailabilitySet":"set","OpenPorts":["8080"],"DockerPort":2377,"NoPublicIP":false,
           "SSHUser":"docker-user","DNSLabel":"","StorageType":"Standard_LRS"})",
       "{{.Driver.ResourceGroup}} {{.Driver.DockerPort}}",
       "docker-machine 2377",
       {}},
      {"exoscale",
       "exoscale",
       R"({"URL":"https://api.exoscale.com/compute","ApiKey":"EXO1","ApiSecretKey":"SECRET-exo",
           "InstanceProfile":"small","DiskSize":50,"Image":"Linux Ubuntu 22.04 LTS 64-bit",
           "SecurityGroups":["docker-machine"],"AffinityGroups":[],"AvailabilityZone":"ch-gva-2",
           "KeyPair":"docker-machine-dev","Id":"2c1f0a3e-0000-4000-8000-000000000001",
           "SSHUser":"ubuntu"})",
       "{{.Driver.InstanceProfile}}",
       "small",
       {}},
      {"google",
       "google",
       R"({"Project":"my-project","Zone":"europe-west1-b","MachineType":"n1-standard-1",
           "MachineImage":"ubuntu-os-cloud/global/images/family/ubuntu-2204-lts","DiskSize":20,
           "DiskType":"pd-ssd","Address":"","Network":"default","Subnetwork":"",
           "Preemptible":true,"UseInternalIP":false,"UseInternalIPOnly":false,
           "Scopes":"https://www.googleapis.com/auth/logging.write","Tags":"web,db",
           "UseExisting":false,"OpenPorts":["8080"],"SSHUser":"docker-user"})",
       "{{.Driver.Project}} {{.Driver.DiskSize}}",
       "my-project 20",
       {}},
      {"hyper-v",
       "hyperv",
       R"({"Boot2DockerURL":"file:///b2d.iso","VSwitch":"External","DiskSize":20000,
           "MemSize":1024,"CPU":2,"MacAddr":"","VLanID":0,"DisableDynamicMemory":false})",
       "{{.Driver.MachineName}}",
       "on-hyper-v",
       {"the hyper-v driver would not make such a machine today: --hyper-v-boot2docker-url: "
        "boot2docker is not maintained: leave it out for Debian, or give a cloud image by "
        "--hyper-v-image"}},
      {"openstack",
       "openstack",
       R"({"AuthUrl":"http://127.0.0.1:1/v3","DomainName":"Default","Username":"demo",
           "Password":"SECRET-openstack","TenantName":"demo","Region":"RegionOne",
           "FlavorName":"m1.small","FlavorId":"1","ImageName":"ubuntu","ImageId":"2",
           "NetworkName":"shared","NetworkId":"3","SecurityGroups":["default","web"],
           "FloatingIpPool":"public","ComputeNetwork":false,"IpVersion":4,"ConfigDrive":true,
           "MachineId":"5f5f","KeyPairName":"dev-1","SSHUser":"ubuntu","ActiveTimeout":200})",
       "{{.Driver.FlavorName}}",
       "m1.small",
       {}},
      {"rackspace",
       "rackspace",
       R"({"Username":"demo","APIKey":"SECRET-rackspace","Region":"IAD","FlavorId":"general1-1",
           "ImageId":"image-1","MachineId":"6f6f","KeyPairName":"dev-2","SSHUser":"root"})",
       "{{.Driver.Region}}",
       "IAD",
       {}},
      {"softlayer",
       "softlayer",
       R"({"Id":4711,"Client":{"User":"me","ApiKey":"SECRET-softlayer",
           "Endpoint":"http://127.0.0.1:1/rest/v3"},"SSHKeyID":7})",
       "{{.Driver.MachineName}}",
       "on-softlayer",
       // The original kept nothing but the account.
       {"the softlayer driver would not make such a machine today: softlayer driver requires the "
        "--softlayer-domain option (environment variable SOFTLAYER_DOMAIN)"}},
      {"virtualbox",
       "virtualbox",
       R"({"CPU":2,"Memory":2048,"DiskSize":20000,"Boot2DockerURL":"","Boot2DockerImportVM":"",
           "HostDNSResolver":true,"HostOnlyCIDR":"192.168.99.1/24","HostOnlyNicType":"82540EM",
           "HostOnlyPromiscMode":"deny","UIType":"headless","HostOnlyNoDHCP":false,
           "NoShare":false,"DNSProxy":true,"NoVTXCheck":false,"ShareFolder":"","SSHPort":53507})",
       "{{.Driver.Memory}}",
       "2048",
       {}},
      {"vmwarefusion",
       "vmwarefusion",
       R"({"Boot2DockerURL":"","CPU":1,"Memory":1024,"DiskSize":20000,"NoShare":true,
           "ConfigDriveISO":"","ConfigDriveURL":""})",
       "{{.Driver.NoShare}}",
       "true",
       {}},
      {"vmwarevcloudair",
       "vmwarevcloudair",
       R"({"UserName":"me","UserPassword":"SECRET-vcloud","ComputeID":"vdc1","VDCID":"vdc1",
           "OrgVDCNet":"vdc1-default-routed","EdgeGateway":"vdc1","PublicIP":"203.0.113.5",
           "Catalog":"Public Catalog","CatalogItem":"Ubuntu","DockerPort":2376,"CPUCount":1,
           "MemorySize":2048,"VAppID":"urn:vcloud:vapp:1","SSHPort":22})",
       "{{.Driver.IPAddress}}",
       "203.0.113.5",
       {}},
      {"vmwarevsphere",
       "vmwarevsphere",
       R"({"CPU":2,"Memory":2048,"DiskSize":20480,"Boot2DockerURL":"","IP":"127.0.0.1","Port":1,
           "Username":"me","Password":"SECRET-vsphere","Networks":["VM Network"],
           "Datastore":"ds1","Datacenter":"dc1","Folder":"ci","Pool":"","HostSystem":"",
           "CfgParams":null,"CloudInit":"","SSHPassword":"tcuser"})",
       "{{.Driver.Datastore}} {{.Driver.Folder}}",
       "ds1 ci",
       {}},
  };
}

class ImportDriversTest : public WorldTest {
 protected:
  ImportDriversTest() {
    // Nobody outside is asked for anything.
    for (const char* name : {"http_proxy", "https_proxy"}) {
      world_.SetEnv(name, "http://127.0.0.1:1");
    }
  }

  void Install(const std::string& driver) const {
    const std::string program = absl::StrCat("machine-driver-", driver);
    fs::copy_file(absl::StrCat("drivers/", driver, "/", program),
                  absl::StrCat(world_.libexec(), "/", program));
  }

  const std::string root_ = world_.Path("legacy");
};

json DriverOf(const std::string& store, const std::string& name) {
  const std::string path = absl::StrCat(store, "/machines/", name, "/config.json");
  const json config = json::parse(common::ReadFile(path).value_or("null"), nullptr, false);
  return config.is_object() ? config.value("Driver", json()) : json();
}

TEST_F(ImportDriversTest, ADriverIsFoundByTheNameOfTheOriginalsLaterReleases) {
  Install("hyper-v");
  const Outcome help = Run("create -d hyperv -h");
  EXPECT_EQ(help.exit_code, 0) << help;
  EXPECT_EQ(help.out, Run("create -d hyper-v -h").out);
  EXPECT_THAT(help.out, testing::HasSubstr("--hyperv-virtual-switch"));
  const std::string refused = " --hyperv-memory 1 dev";
  const Outcome created = Run("create -d hyperv" + refused);
  EXPECT_NE(created.exit_code, 0);
  EXPECT_THAT(created.err, testing::HasSubstr("--hyper-v-memory")) << "by the driver itself";
  EXPECT_EQ(created.err, Run("create -d hyper-v" + refused).err);
}

TEST_F(ImportDriversTest, EveryDriversMachinesAreTakenOverAndGivenBack) {
  const std::vector<LegacyMachine> machines = LegacyMachines();
  const LegacyStoreFixture store = LegacyStoreFixture::WithCertificates(root_);
  std::map<std::string, json> written;
  std::string notes;
  std::string names;
  for (const LegacyMachine& machine : machines) {
    Install(machine.driver);
    const std::string name = absl::StrCat("on-", machine.driver);
    written[name] = store.PutVersion3(name, machine.legacy_name, machine.fields);
    for (const std::string& note : machine.notes) absl::StrAppend(&notes, name, ": ", note, "\n");
    absl::StrAppend(&names, name, "\n");
  }
  const auto before = LegacyStoreFixture::Snapshot(root_);

  const Outcome planned = Run("import --dry-run " + root_);
  EXPECT_EQ(planned.exit_code, 0) << planned;
  EXPECT_EQ(planned.err, notes) << "all that is said";
  EXPECT_EQ(Run("ls -q").out, "");

  const Outcome imported = Run("import --yes " + root_);
  EXPECT_EQ(imported.exit_code, 0) << imported;
  EXPECT_EQ(Run("ls -q").out, names);
  EXPECT_EQ(LegacyStoreFixture::Snapshot(root_), before);
  for (const LegacyMachine& machine : machines) {
    const std::string name = absl::StrCat("on-", machine.driver);
    EXPECT_EQ(world_.RunWords({"inspect", "-f", machine.format, name}).out, machine.answer + "\n");
    EXPECT_EQ(Run("inspect -f {{.DriverName}} " + name).out, machine.driver + "\n");
  }

  const std::string out = world_.Path("out");
  const Outcome exported = Run("export " + out);
  EXPECT_EQ(exported.exit_code, 0) << exported;
  for (const auto& [name, driver] : written) {
    json back = DriverOf(out, name);
    for (const auto& [field, value] : driver.items()) {
      if (field == "StorePath" || field == "SSHKeyPath") continue;
      // Brought up to date.
      if ((field == "IPAddress" || field == "SSHUser") && value == "") continue;
      EXPECT_EQ(back.value(field, json("missing")), value) << name << " " << field;
    }
  }
}

}  // namespace
}  // namespace machine::tests
