#ifndef TESTS_FAKES_VIRTUALBOX_FAKE_VBOX_H_
#define TESTS_FAKES_VIRTUALBOX_FAKE_VBOX_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/fakes/virtualbox/command_line.h"

namespace machine::fakes {

/// VBoxManage of one version, with all that VirtualBox knows in a JSON object:
///   version: "7.2.0r170228"; vms, media, interfaces, dhcp: what there is;
///   orders: what tests want: ignores_acpi, no_lease, denies_ranges, no_vtx, fails (a command).
class FakeVbox {
 public:
  explicit FakeVbox(nlohmann::ordered_json& state) : state_(state) {}

  /// What the command prints. Throws Refused.
  std::string Run(std::vector<std::string> args);

 private:
  using Json = nlohmann::ordered_json;

  // The machine with this UUID or name.
  Json& Vm(const std::string& id);
  // The same, which must be off and not locked.
  Json& Unlocked(const std::string& id);
  bool NewerThan70() const;
  bool NewerThan71() const;
  bool Ordered(const char* order) const;

  std::string CreateVm(const CommandLine& line);
  std::string ModifyVm(const CommandLine& line);
  void AddNatRule(Json& vm, const std::vector<std::string>& values) const;
  std::string StorageCtl(const CommandLine& line);
  std::string StorageAttach(const CommandLine& line);
  std::string Medium(const std::string& command, const CommandLine& line);
  std::string StartVm(const CommandLine& line);
  std::string ControlVm(const CommandLine& line);
  std::string UnregisterVm(const CommandLine& line);
  std::string ShowVmInfo(const CommandLine& line);
  std::string List(const CommandLine& line);
  std::string HostOnlyIf(const CommandLine& line);
  std::string DhcpServer(const CommandLine& line);
  std::string ExtraData(const std::string& command, const CommandLine& line);

  Json& state_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_VIRTUALBOX_FAKE_VBOX_H_
