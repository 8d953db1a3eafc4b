#include "tests/fakes/virtualbox/fake_vbox.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace machine::fakes {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Values = std::vector<std::string>;

constexpr char kNotFound[] = "VBOX_E_OBJECT_NOT_FOUND";
constexpr char kLocked[] = "VBOX_E_INVALID_OBJECT_STATE";
constexpr char kBadState[] = "VBOX_E_INVALID_VM_STATE";
constexpr char kBadValue[] = "E_INVALIDARG";
constexpr char kFile[] = "VBOX_E_FILE_ERROR";
constexpr char kProgress[] = "0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\n";

int Number(const std::string& text) {
  int value = 0;
  if (!absl::SimpleAtoi(text, &value)) throw Refused("Invalid number: " + text, "");
  return value;
}

void Among(const std::string& option, const std::string& value,
           const std::set<std::string>& allowed) {
  if (allowed.count(value) == 0) {
    throw Refused("Invalid " + option + " argument '" + value + "'", "");
  }
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Refused("Could not find file for the medium '" + path + "' (VERR_FILE_NOT_FOUND)", kFile);
  return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Images of the tests tell their size after this word.
int CapacityOf(const std::string& image) {
  const size_t at = image.find("capacity=");
  return at == std::string::npos ? 1 : std::atoi(image.c_str() + at + 9);
}

void WriteVdi(const std::string& path, int mib) {
  std::string head = "<<< Oracle VM VirtualBox Disk Image >>>\n";
  head.resize(64, '\0');
  std::ofstream(path, std::ios::binary) << head << "\x7f\x10\xda\xbe capacity=" << mib << "\n";
}

bool IsOff(const Json& vm) {
  const std::string state = vm["state"];
  return state == "poweroff" || state == "aborted";
}

// Of old spellings, which all versions from 6.1 to 7.2 have; those of one version only are left
// out.
const std::map<std::string, Takes>& ModifyOptions() {
  static const auto* const kOptions = [] {
    auto* options = new std::map<std::string, Takes>;
    for (const char* const name : {"--cpus", "--memory", "--acpi", "--ioapic", "--rtcuseutc",
                                   "--boot1", "--boot2", "--boot3", "--boot4", "--ostype"}) {
      (*options)[name] = Takes::kWord;
    }
    for (const char* const number : {"1", "2"}) {
      for (const char* const name :
           {"--nic", "--nictype", "--macaddress", "--cableconnected", "--natdnshostresolver",
            "--natdnsproxy", "--hostonlyadapter", "--nicpromisc"}) {
        (*options)[absl::StrCat(name, number)] = Takes::kWord;
      }
      (*options)[absl::StrCat("--natpf", number)] = Takes::kNatRule;
    }
    (*options)["--uart1"] = Takes::kTwoWords;
    (*options)["--uartmode1"] = Takes::kUartMode;
    return options;
  }();
  return *kOptions;
}

}  // namespace

bool FakeVbox::NewerThan70() const { return std::string(state_["version"]) >= "7"; }
bool FakeVbox::NewerThan71() const { return std::string(state_["version"]) >= "7.1"; }
bool FakeVbox::Ordered(const char* order) const { return state_["orders"].value(order, false); }

Json& FakeVbox::Vm(const std::string& id) {
  for (auto& [uuid, vm] : state_["vms"].items()) {
    if (uuid == id || vm["name"] == id) return vm;
  }
  throw Refused("Could not find a registered machine with UUID {" + id + "}", kNotFound);
}

Json& FakeVbox::Unlocked(const std::string& id) {
  Json& vm = Vm(id);
  // For a moment after it has ended.
  const bool closing = vm.value("closing", 0) > 0;
  if (closing) vm["closing"] = vm["closing"].get<int>() - 1;
  if (closing || (!IsOff(vm) && vm["state"] != "saved")) {
    throw Refused("The machine '" + std::string(vm["name"]) +
                      "' is already locked for a session (or being unlocked)",
                  kLocked);
  }
  return vm;
}

std::string FakeVbox::CreateVm(const CommandLine& line) {
  const std::string name = line.Get("--name");
  const std::string uuid = line.Get("--uuid");
  if (NewerThan71()) Among("--platform-architecture", line.Get("--platform-architecture"), {"x86"});
  Among("--ostype", line.Get("--ostype"), {"Linux26_64", "Linux_64", "Ubuntu_64"});
  const std::string folder = line.Get("--basefolder") + "/" + name;
  const std::string file = folder + "/" + name + ".vbox";
  if (fs::exists(file)) {
    throw Refused("Machine settings file '" + file + "' already exists", kFile);
  }
  for (const auto& [other, vm] : state_["vms"].items()) {
    if (other == uuid || vm["name"] == name) {
      throw Refused("Registered machine with UUID {" + other + "} ('" + file + "') already exists",
                    "VBOX_E_OBJECT_IN_USE");
    }
  }
  fs::create_directories(folder);
  std::ofstream(file) << "<VirtualBox/>\n";
  if (!line.Has("--register")) throw Refused("not of use to the tests", "");
  state_["vms"][uuid] = {{"name", name},
                         {"file", file},
                         {"state", "poweroff"},
                         {"options", Json::object()},
                         {"nat", Json::array()},
                         {"media", Json::object()},
                         {"extra", Json::object()},
                         {"shares", Json::array()},
                         {"controller", ""}};
  return absl::StrCat("Virtual machine '", name, "' is created and registered.\nUUID: ", uuid,
                      "\nSettings file: '", file, "'\n");
}

void FakeVbox::AddNatRule(Json& vm, const Values& values) const {
  if (values[0] == "delete") {
    for (auto it = vm["nat"].begin(); it != vm["nat"].end(); ++it) {
      if (!absl::StartsWith(it->get<std::string>(), values[1] + ",")) continue;
      vm["nat"].erase(it);
      return;
    }
    throw Refused("A NAT rule of this name does not exist", kBadValue);
  }
  const Values parts = absl::StrSplit(values[0], ',');
  if (parts.size() != 6) throw Refused("Invalid --natpf argument '" + values[0] + "'", "");
  Among("--natpf", parts[1], {"tcp", "udp"});
  for (const auto& rule : vm["nat"]) {
    const Values other = absl::StrSplit(rule.get<std::string>(), ',');
    if (other[0] == parts[0]) throw Refused("A NAT rule of this name already exists", kBadValue);
    if (other[3] == parts[3]) {
      throw Refused("A NAT rule for this host port and this host IP already exists", kBadValue);
    }
  }
  vm["nat"].push_back(values[0]);
}

std::string FakeVbox::ModifyVm(const CommandLine& line) {
  Json& vm = Unlocked(line.Operand(0));
  if (vm["state"] == "saved") {
    throw Refused("The machine is not mutable (state is Saved)", kBadState);
  }
  static const std::set<std::string> kNics = {"Am79C970A", "Am79C973", "82540EM",
                                              "82543GC",   "82545EM",  "virtio"};
  for (const auto& [name, values] : line.options()) {
    const std::string& value = values[0];
    if (absl::StartsWith(name, "--natpf")) {
      AddNatRule(vm, values);
      continue;
    }
    if (name == "--memory" && (Number(value) < 4 || Number(value) > 2097152)) {
      throw Refused("Invalid RAM size: " + value + " MB (must be in range [4, 2097152] MB)",
                    kBadValue);
    }
    if (name == "--cpus" && (Number(value) < 1 || Number(value) > 64)) {
      throw Refused("Invalid virtual CPU count: " + value + " (must be in range [1, 64])",
                    kBadValue);
    }
    if (absl::StartsWith(name, "--nictype")) Among(name, value, kNics);
    if (name == "--nic1" || name == "--nic2") {
      Among(name, value, {"none", "null", "nat", "bridged", "intnet", "hostonly", "natnetwork"});
    }
    if (absl::StartsWith(name, "--nicpromisc")) {
      Among(name, value, {"deny", "allow-vms", "allow-all"});
    }
    if (absl::StartsWith(name, "--boot") && name.size() == 7) {
      Among(name, value, {"none", "floppy", "dvd", "disk", "net"});
    }
    if (absl::StartsWith(name, "--macaddress") && value.size() != 12) {
      throw Refused("Invalid MAC address format", kBadValue);
    }
    if (absl::StartsWith(name, "--cable") || absl::StartsWith(name, "--natdns") ||
        name == "--acpi" || name == "--ioapic" || name == "--rtcuseutc") {
      Among(name, value, {"on", "off"});
    }
    if (name == "--uart1") Number(values.at(1));
    vm["options"][name.substr(2)] = value;
  }
  return "";
}

std::string FakeVbox::StorageCtl(const CommandLine& line) {
  Json& vm = Unlocked(line.Operand(0));
  const std::string name = line.Get("--name");
  if (vm["controller"] == name) {
    throw Refused("Storage controller named '" + name + "' already exists", "VBOX_E_OBJECT_IN_USE");
  }
  Among("--add", line.Get("--add"), {"ide", "sata", "scsi", "sas", "usb", "pcie", "virtio"});
  Among("--controller", line.Get("--controller"), {"IntelAhci", "IntelAHCI", "PIIX4", "LsiLogic"});
  Among("--bootable", line.GetOr("--bootable", "on"), {"on", "off"});
  vm["controller"] = name;
  vm["ports"] = Number(line.GetOr("--portcount", "30"));
  return "";
}

std::string FakeVbox::StorageAttach(const CommandLine& line) {
  Json& vm = Unlocked(line.Operand(0));
  const std::string controller = line.Get("--storagectl");
  if (vm["controller"] != controller) {
    throw Refused("Could not find a storage controller named '" + controller + "'", kNotFound);
  }
  const std::string port = line.Get("--port");
  if (Number(port) >= vm["ports"].get<int>() || line.Get("--device") != "0") {
    throw Refused("The port and/or device parameter are out of range", kBadValue);
  }
  Among("--type", line.Get("--type"), {"dvddrive", "hdd", "fdd"});
  const std::string medium = line.Get("--medium");
  if (medium != "none" && medium != "emptydrive") {
    const std::string head = ReadAll(medium);
    const bool is_cd = absl::StrContains(head, "CD001");
    if (is_cd != (line.Get("--type") == "dvddrive")) {
      throw Refused("Could not open the medium '" + medium + "'. (VERR_NOT_SUPPORTED)", kFile);
    }
    for (const auto& [uuid, other] : state_["vms"].items()) {
      if (!is_cd && other["media"].value("0", "") == medium) {
        throw Refused("Medium '" + medium + "' is already attached", "VBOX_E_OBJECT_IN_USE");
      }
    }
  }
  vm["media"][port] = medium;
  state_["media"][medium] = true;
  return "";
}

std::string FakeVbox::Medium(const std::string& command, const CommandLine& line) {
  if (command == "convertfromraw") {
    if (line.Operand(0) == "stdin") {
      const std::string all{std::istreambuf_iterator<char>(std::cin.rdbuf()),
                            std::istreambuf_iterator<char>()};
      state_["stdin"] = all.substr(0, all.find('\0'));
      int64_t bytes = 0;
      if (!absl::SimpleAtoi(line.Operand(2), &bytes)) throw Refused("Invalid size", "");
      WriteVdi(line.Operand(1), static_cast<int>(bytes >> 20));
      return "";
    }
    if (fs::exists(line.Operand(1))) throw Refused("Cannot create the disk image", kFile);
    WriteVdi(line.Operand(1), CapacityOf(ReadAll(line.Operand(0))));
    return "Converting from raw image file\n";
  }
  Among("type", line.Operand(0), {"disk", "dvd", "floppy"});
  const std::string& path = line.Operand(1);
  if (command == "closemedium") {
    if (!state_["media"].contains(path)) {
      throw Refused("Could not find file for the medium '" + path + "'", kFile);
    }
    for (const auto& [uuid, vm] : state_["vms"].items()) {
      for (const auto& [port, medium] : vm["media"].items()) {
        if (medium == path) {
          throw Refused("Cannot close medium '" + path + "' because it is still attached",
                        "VBOX_E_OBJECT_IN_USE");
        }
      }
    }
    state_["media"].erase(path);
    if (line.Has("--delete")) fs::remove(path);
    return kProgress;
  }
  const std::string image = ReadAll(path);
  state_["media"][path] = true;
  if (command == "clonemedium") {
    Among("--format", line.Get("--format"), {"VDI", "VMDK", "VHD", "RAW"});
    if (fs::exists(line.Operand(2))) {
      throw Refused("Storage for the medium '" + line.Operand(2) + "' is already created",
                    "VBOX_E_INVALID_OBJECT_STATE");
    }
    if (!absl::StartsWith(image, "KDMV") && !absl::StrContains(image, "\x7f\x10\xda\xbe")) {
      throw Refused("Could not open the medium '" + path + "'. (VERR_NOT_SUPPORTED)", kFile);
    }
    WriteVdi(line.Operand(2), CapacityOf(image));
    state_["media"][line.Operand(2)] = true;
    return "Clone medium created in format 'VDI'. UUID: 0f0e0d0c-0000-4000-8000-000000000001\n";
  }
  if (command == "showmediuminfo") {
    return absl::StrCat("UUID:           0f0e0d0c-0000-4000-8000-000000000001\n",
                        "State:          created\nLocation:       ", path,
                        "\nCapacity:       ", CapacityOf(image), " MBytes\n");
  }
  const int size = Number(line.Get("--resize"));
  if (size < CapacityOf(image)) {
    throw Refused("Shrinking is currently not supported for medium (VERR_VD_SHRINK_NOT_SUPPORTED)",
                  "VBOX_E_NOT_SUPPORTED");
  }
  WriteVdi(path, size);
  return kProgress;
}

std::string FakeVbox::StartVm(const CommandLine& line) {
  Among("--type", line.Get("--type"), {"gui", "sdl", "headless", "separate"});
  Json& vm = Unlocked(line.Operand(0));
  vm["state"] = "running";
  vm["starts"] = vm.value("starts", 0) + 1;
  return absl::StrCat("Waiting for VM \"", std::string(vm["name"]), "\" to power on...\nVM \"",
                      std::string(vm["name"]), "\" has been successfully started.\n");
}

std::string FakeVbox::ControlVm(const CommandLine& line) {
  Json& vm = Vm(line.Operand(0));
  const std::string& verb = line.Operand(1);
  Among("controlvm", verb,
        {"poweroff", "acpipowerbutton", "pause", "resume", "savestate", "reset"});
  if (IsOff(vm) || vm["state"] == "saved") {
    throw Refused("Machine '" + std::string(vm["name"]) + "' is not currently running.", kBadState);
  }
  const bool paused = vm["state"] == "paused";
  if ((verb == "pause" && paused) || (verb == "resume" && !paused) ||
      (verb == "acpipowerbutton" && paused)) {
    throw Refused("Invalid machine state: " + std::string(vm["state"]), kBadState);
  }
  if (verb == "pause") vm["state"] = "paused";
  if (verb == "resume") vm["state"] = "running";
  if (verb == "savestate") vm["state"] = "saved";
  if (verb == "poweroff" || (verb == "acpipowerbutton" && !Ordered("ignores_acpi"))) {
    vm["state"] = "poweroff";
    vm["closing"] = 1;
  }
  return verb == "poweroff" ? kProgress : "";
}

std::string FakeVbox::UnregisterVm(const CommandLine& line) {
  Json& vm = Unlocked(line.Operand(0));
  if (line.Has("--delete")) {
    const std::string disk = vm["media"].value("0", "");
    if (!disk.empty()) fs::remove(disk);
    state_["media"].erase(disk);
    fs::remove_all(fs::path(std::string(vm["file"])).parent_path());
  }
  const std::string name = vm["name"];
  for (auto it = state_["vms"].begin(); it != state_["vms"].end(); ++it) {
    if ((*it)["name"] != name) continue;
    state_["vms"].erase(it);
    break;
  }
  return kProgress;
}

std::string FakeVbox::ShowVmInfo(const CommandLine& line) {
  const Json& vm = Vm(line.Operand(0));
  if (!line.Has("--machinereadable")) throw Refused("not of use to the tests", "");
  std::string uuid;
  for (const auto& [id, other] : state_["vms"].items()) {
    if (other["name"] == vm["name"]) uuid = id;
  }
  std::string text;
  const auto put = [&](const std::string& key, std::string value) {
    // Newer versions mark quotes and backslashes, older ones do not.
    if (NewerThan70()) value = absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"\"", "\\\""}});
    absl::StrAppend(&text, key, "=\"", value, "\"\n");
  };
  put("name", vm["name"]);
  put("groups", "/");
  put("UUID", uuid);
  put("CfgFile", vm["file"]);
  put("description", "two\nlines, \"quoted\"");
  for (const char* const number : {"memory", "cpus"}) {
    absl::StrAppend(&text, number, "=", vm["options"].value(number, "1"), "\n");
  }
  put("VMState", vm["state"]);
  if (vm["controller"] != "") {
    put("storagecontrollername0", vm["controller"]);
    for (int port = 0; port < vm["ports"].get<int>(); ++port) {
      put(absl::StrCat("\"", std::string(vm["controller"]), "-", port, "-0\""),
          vm["media"].value(absl::StrCat(port), "none"));
    }
  }
  for (const char* const number : {"1", "2"}) {
    put(absl::StrCat("nic", number), vm["options"].value(absl::StrCat("nic", number), "none"));
    put(absl::StrCat("macaddress", number),
        vm["options"].value(absl::StrCat("macaddress", number), ""));
    const std::string adapter = absl::StrCat("hostonlyadapter", number);
    if (vm["options"].contains(adapter)) put(adapter, vm["options"][adapter]);
  }
  for (size_t i = 0; i < vm["nat"].size(); ++i)
    put(absl::StrCat("Forwarding(", i, ")"), vm["nat"][i]);
  for (size_t i = 0; i < vm["shares"].size(); ++i) {
    put(absl::StrCat("SharedFolderNameMachineMapping", i + 1), vm["shares"][i]);
  }
  return text;
}

std::string FakeVbox::List(const CommandLine& line) {
  const std::string& what = line.Operand(0);
  Among("list", what, {"vms", "runningvms", "hostonlyifs", "dhcpservers", "hostinfo"});
  std::string text;
  if (what == "hostinfo") {
    return absl::StrCat("Host Information:\n\nHost time: 2026-11-26T12:00:00.000000000Z\n",
                        "Processor online count: 4\nProcessor count: 4\n",
                        "Processor supports HW virtualization: ", Ordered("no_vtx") ? "no" : "yes",
                        "\nMemory size: 16000 MByte\n");
  }
  if (what == "hostonlyifs") {
    for (const auto& [name, entry] : state_["interfaces"].items()) {
      absl::StrAppend(&text, "Name:            ", name,
                      "\nDHCP:            Disabled\nIPAddress:       ", std::string(entry["ip"]),
                      "\nNetworkMask:     ", std::string(entry["mask"]),
                      "\nIPV6Address:     fe80::800:27ff:fe00:0\nStatus:          Up\n",
                      "VBoxNetworkName: HostInterfaceNetworking-", name, "\n\n");
    }
    return text;
  }
  if (what == "dhcpservers") {
    for (const auto& [network, entry] : state_["dhcp"].items()) {
      absl::StrAppend(&text, "NetworkName:    ", network,
                      "\nDhcpd IP:       ", std::string(entry["ip"]),
                      "\nLowerIPAddress: ", std::string(entry["lower"]),
                      "\nUpperIPAddress: ", std::string(entry["upper"]),
                      "\nNetworkMask:    ", std::string(entry["mask"]),
                      "\nEnabled:        ", entry["enabled"].get<bool>() ? "Yes" : "No",
                      "\nGlobal Configuration:\n    minLeaseTime:     default\n\n");
    }
    return text;
  }
  for (const auto& [uuid, vm] : state_["vms"].items()) {
    if (line.Has("--long")) {
      absl::StrAppend(&text, "Name:                        ", std::string(vm["name"]), "\n");
      for (size_t i = 0; i < vm["nat"].size(); ++i) {
        const Values parts = absl::StrSplit(std::string(vm["nat"][i]), ',');
        absl::StrAppend(&text, "NIC 1 Rule(", i, "):   name = ", parts[0], ", protocol = tcp, ",
                        "host ip = ", parts[2], ", host port = ", parts[3],
                        ", guest ip = , guest port = ", parts[5], "\n");
      }
    } else {
      absl::StrAppend(&text, "\"", std::string(vm["name"]), "\" {", uuid, "}\n");
    }
  }
  return text;
}

std::string FakeVbox::HostOnlyIf(const CommandLine& line) {
  const std::string& verb = line.Operand(0);
  if (verb == "create") {
    const std::string name = absl::StrCat("vboxnet", state_["interfaces"].size());
    state_["interfaces"][name] = {{"ip", "192.168.56.1"}, {"mask", "255.255.255.0"}};
    return absl::StrCat(kProgress, "Interface '", name, "' was successfully created\n");
  }
  const std::string& name = line.Operand(1);
  if (!state_["interfaces"].contains(name)) {
    throw Refused("The host network interface named '" + name + "' could not be found", kBadValue);
  }
  if (verb == "remove") {
    state_["interfaces"].erase(name);
    return kProgress;
  }
  if (verb != "ipconfig") throw Refused("Invalid parameter '" + verb + "'", "");
  const std::string ip = line.Get("--ip");
  if (Ordered("denies_ranges")) {
    throw Refused("Code E_ACCESSDENIED (0x80070005) - Access denied (extended info not available)",
                  "E_ACCESSDENIED");
  }
  state_["interfaces"][name] = {{"ip", ip}, {"mask", line.Get("--netmask")}};
  return "";
}

std::string FakeVbox::DhcpServer(const CommandLine& line) {
  const std::string& verb = line.Operand(0);
  const std::string network = line.Get("--network");
  const bool there = state_["dhcp"].contains(network);
  if (verb == "add" && there) throw Refused("DHCP server already exists", "");
  if (verb != "add" && !there) throw Refused("DHCP server does not exist", "");
  if (verb == "findlease") {
    const std::string mac = absl::StrReplaceAll(line.Get("--mac-address"), {{":", ""}});
    for (const auto& [uuid, vm] : state_["vms"].items()) {
      if (IsOff(vm) || Ordered("no_lease") || vm["options"].value("macaddress2", "") != mac)
        continue;
      return absl::StrCat("IP Address:  ", std::string(state_["dhcp"][network]["lower"]),
                          "\nMAC Address: ", line.Get("--mac-address"),
                          "\nState:       acked\nIssued:      2026-11-26T12:00:00Z (1795608000)\n",
                          "Expire:      2026-11-26T12:10:00Z (1795608600)\n",
                          "TTL:         600 sec, currently 480 sec left\n");
    }
    throw Refused("Could not find a lease for " + mac, kNotFound);
  }
  Among("dhcpserver", verb, {"add", "modify"});
  state_["dhcp"][network] = {{"ip", line.Get("--server-ip")},
                             {"mask", line.Get("--netmask")},
                             {"lower", line.Get("--lower-ip")},
                             {"upper", line.Get("--upper-ip")},
                             {"enabled", line.Has("--enable")}};
  return "";
}

std::string FakeVbox::ExtraData(const std::string& command, const CommandLine& line) {
  Json& vm = Vm(line.Operand(0));
  const std::string& key = line.Operand(1);
  if (command == "setextradata") {
    vm["extra"][key] = line.Operand(2);
    return "";
  }
  if (!vm["extra"].contains(key)) return "No value set!\n";
  return absl::StrCat("Value: ", std::string(vm["extra"][key]), "\n");
}

std::string FakeVbox::Run(Values args) {
  if (args.empty()) throw Refused("no command", "");
  const std::string command = args[0];
  args.erase(args.begin());
  if (command == "--version") return std::string(state_["version"]) + "\n";
  if (state_["orders"].value("fails", "") == command) {
    throw Refused("Some trouble with " + command, "E_FAIL");
  }
  std::map<std::string, Takes> options;
  const auto takes = [&](std::initializer_list<const char*> words,
                         std::initializer_list<const char*> alone) {
    for (const char* const name : words) options[name] = Takes::kWord;
    for (const char* const name : alone) options[name] = Takes::kNothing;
    return CommandLine(args, options);
  };
  if (command == "createvm") {
    if (NewerThan71()) options["--platform-architecture"] = Takes::kWord;
    return CreateVm(takes({"--name", "--uuid", "--ostype", "--basefolder", "--groups"},
                          {"--register", "--default"}));
  }
  if (command == "modifyvm") return ModifyVm(CommandLine(args, ModifyOptions()));
  if (command == "storagectl") {
    return StorageCtl(takes({"--name", "--add", "--controller", "--portcount", "--bootable",
                             "--hostiocache", "--rename"},
                            {"--remove"}));
  }
  if (command == "storageattach") {
    return StorageAttach(
        takes({"--storagectl", "--port", "--device", "--type", "--medium", "--mtype"}, {}));
  }
  if (command == "convertfromraw" || command == "clonemedium" || command == "showmediuminfo" ||
      command == "modifymedium" || command == "closemedium") {
    return Medium(command, takes({"--format", "--variant", "--resize"}, {"--delete"}));
  }
  if (command == "startvm") return StartVm(takes({"--type"}, {}));
  if (command == "controlvm") return ControlVm(takes({}, {}));
  if (command == "discardstate") {
    Json& vm = Vm(takes({}, {}).Operand(0));
    if (vm["state"] != "saved") throw Refused("Machine in invalid state", kBadState);
    vm["state"] = "poweroff";
    return "";
  }
  if (command == "unregistervm") return UnregisterVm(takes({}, {"--delete"}));
  if (command == "showvminfo") return ShowVmInfo(takes({}, {"--machinereadable", "--details"}));
  if (command == "list") return List(takes({}, {"--long", "--sorted"}));
  if (command == "hostonlyif") return HostOnlyIf(takes({"--ip", "--netmask"}, {"--dhcp"}));
  if (command == "dhcpserver") {
    return DhcpServer(takes({"--network", "--interface", "--server-ip", "--netmask", "--lower-ip",
                             "--upper-ip", "--mac-address"},
                            {"--enable", "--disable"}));
  }
  if (command == "getextradata" || command == "setextradata") {
    return ExtraData(command, takes({}, {}));
  }
  if (command == "guestproperty") {
    Vm(takes({}, {}).Operand(1));
    const std::string address = state_["orders"].value("additions_report", "");
    return address.empty() ? "No value set!\n" : absl::StrCat("Value: ", address, "\n");
  }
  if (command == "sharedfolder") {
    const CommandLine line = takes({"--name", "--hostpath"}, {"--readonly", "--automount"});
    Among("sharedfolder", line.Operand(0), {"add"});
    if (!fs::is_directory(line.Get("--hostpath"))) {
      throw Refused("Shared folder path is not absolute or not there", kBadValue);
    }
    Unlocked(line.Operand(1))["shares"].push_back(line.Get("--name"));
    return "";
  }
  throw Refused("Invalid command '" + command + "'", "");
}

}  // namespace machine::fakes
