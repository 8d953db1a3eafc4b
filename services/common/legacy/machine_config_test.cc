#include "services/common/legacy/machine_config.h"

#include <gtest/gtest.h>

namespace machine::common {
namespace {

using nlohmann::ordered_json;

machine::v1::Machine Generic() {
  machine::v1::Machine machine;
  machine.set_name("machines/web");
  machine.set_driver("generic");
  machine.mutable_endpoint()->add_ip_addresses("192.0.2.7");
  machine.mutable_endpoint()->set_ssh_host("192.0.2.7");
  machine.mutable_endpoint()->set_ssh_user("admin");
  machine.mutable_endpoint()->set_ssh_port(2222);
  auto* option = machine.add_driver_options();
  option->set_name("generic-engine-port");
  option->set_int_value(2377);
  option = machine.add_driver_options();
  option->set_name("generic-ip-address");
  option->set_string_value("web.example.org");
  option = machine.add_driver_options();
  option->set_name("generic-token");
  option->set_secret_ref("sealed/1");
  return machine;
}

TEST(LegacyConfigTest, HasTheFieldsThatScriptsRead) {
  const ordered_json config = LegacyConfig(Generic(), "/s");
  EXPECT_EQ(config["ConfigVersion"], 3);
  EXPECT_EQ(config["Name"], "web");
  EXPECT_EQ(config["DriverName"], "generic");
  EXPECT_EQ(config["Driver"]["IPAddress"], "192.0.2.7");
  EXPECT_EQ(config["Driver"]["SSHUser"], "admin");
  EXPECT_EQ(config["Driver"]["SSHPort"], 2222);
  EXPECT_EQ(config["Driver"]["SSHKeyPath"], "/s/machines/web/id_rsa");
  EXPECT_EQ(config["Driver"]["StorePath"], "/s");
  EXPECT_EQ(config["HostOptions"]["AuthOptions"]["StorePath"], "/s/machines/web");
  EXPECT_EQ(config["HostOptions"]["AuthOptions"]["ClientCertPath"], "/s/machines/web/cert.pem");
  EXPECT_EQ(config["HostOptions"]["SwarmOptions"]["Host"], "tcp://0.0.0.0:3376");
}

TEST(LegacyConfigTest, OptionsTakeTheNamesOfGoFieldsAndNeverHideFacts) {
  const ordered_json driver = LegacyConfig(Generic(), "/s")["Driver"];
  EXPECT_EQ(driver["EnginePort"], 2377);
  EXPECT_EQ(driver["IPAddress"], "192.0.2.7") << "the observed address, not the option";
}

TEST(LegacyConfigTest, SecretsAreLeftOut) {
  const std::string text = LegacyConfigText(LegacyConfig(Generic(), "/s"));
  EXPECT_EQ(text.find("sealed"), std::string::npos);
  EXPECT_EQ(text.find("Token"), std::string::npos);
}

TEST(LegacyConfigTest, TextIsIndentedByFourAndInTheOriginalsOrder) {
  const std::string text = LegacyConfigText(LegacyConfig(Generic(), "/s"));
  EXPECT_EQ(text.find("{\n    \"ConfigVersion\": 3,\n    \"Driver\": {\n        \"IPAddress\""),
            0U);
  EXPECT_EQ(text.substr(text.size() - 20), "    \"Name\": \"web\"\n}\n");
}

TEST(LegacyConfigTest, MachineWithoutSshHasNoKeyPath) {
  machine::v1::Machine machine;
  machine.set_name("machines/box");
  machine.set_driver("none");
  auto* option = machine.add_driver_options();
  option->set_name("url");
  option->set_string_value("tcp://192.0.2.1:2376");
  const ordered_json config = LegacyConfig(machine, "/s");
  EXPECT_EQ(config["Driver"]["SSHKeyPath"], "");
  EXPECT_EQ(config["Driver"]["URL"], "tcp://192.0.2.1:2376");
  EXPECT_EQ(config["HostOptions"]["AuthOptions"]["ServerCertRemotePath"], "");
}

}  // namespace
}  // namespace machine::common
