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
///
/// Commands, options and what they print were held against the sources of VBoxManage between 7.1
/// and 7.2 (github.com/VirtualBox/virtualbox, src/VBox/Frontends/VBoxManage): createvm,
/// unregistervm (VBoxManageMisc.cpp); modifyvm, whose old spellings stay (VBoxManageModifyVM.cpp,
/// OPT2); storageattach (VBoxManageStorageController.cpp); convertfromraw, clonemedium,
/// showmediuminfo (VBoxManageDisk.cpp); showvminfo and the words for states (VBoxManageInfo.cpp);
/// list hostonlyifs, dhcpservers, hostinfo (VBoxManageList.cpp); hostonlyif
/// (VBoxManageHostonly.cpp); dhcpserver (VBoxManageDHCPServer.cpp). In three things it is stricter:
/// createvm must name the architecture since 7.1 (the manual's synopsis; the sources guess it by
/// --ostype), storagectl's ports do not grow, and what is not listed is refused.
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
