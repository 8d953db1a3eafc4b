// Stands for vmrun, vmware-vdiskmanager and uname, by the name that it is called by. What runs is
// in $FAKE_VMWARE_DIR/running, what of it is paused in paused, one path a line; calls has a line
// for each command of vmrun. Files there with the names of orders change what it does: no_tools,
// ignores_soft, mac (an Apple one).
//
// Commands and their parameters are those that `vmrun --help` of version 1.17 lists (Workstation 15
// to 17, Fusion 11 to 13): start [gui|nogui], stop and suspend [hard|soft], pause, unpause, list,
// deleteVM, getGuestIPAddress [-wait]. It has no listRegisteredVM any longer, and nothing that
// tells a paused machine. vmware-vdiskmanager as packer-plugin-vmware and docker/machine call it.
#include <fcntl.h>
#include <sys/file.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/process/unique_fd.h"
#include "tests/fakes/killer/driver_killer.h"

namespace {

namespace fs = std::filesystem;
using Args = std::vector<std::string>;

struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string Folder() { return std::getenv("FAKE_VMWARE_DIR"); }
bool Ordered(const char* order) { return fs::exists(Folder() + "/" + order); }

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Refused("Cannot open VM: " + path + ", The virtual machine cannot be found");
  return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string Value(const std::string& vmx, const std::string& name) {
  const size_t at = vmx.find("\n" + name + " = \"");
  if (at == std::string::npos) return "";
  const size_t start = at + name.size() + 5;
  return vmx.substr(start, vmx.find('"', start) - start);
}

std::set<std::string> PathsIn(const char* name) {
  std::ifstream file(Folder() + "/" + name);
  std::set<std::string> paths;
  for (std::string line; std::getline(file, line);) paths.insert(line);
  return paths;
}

void SetPaths(const char* name, const std::set<std::string>& paths) {
  std::ofstream file(Folder() + "/" + name);
  for (const std::string& path : paths) file << path << "\n";
}

void CheckVmx(const std::string& path, const std::string& vmx) {
  if (Value(vmx, "config.version") != "8") throw Refused("config.version is missing");
  int memory = 0;
  if (!absl::SimpleAtoi(Value(vmx, "memsize"), &memory) || memory < 4 || memory % 4 != 0) {
    throw Refused("Invalid memory size");
  }
  int cpus = 0;
  if (!absl::SimpleAtoi(Value(vmx, "numvcpus"), &cpus) || cpus < 1) throw Refused("Invalid CPUs");
  if (Ordered("mac") != (Value(vmx, "guestOS") == "arm-ubuntu-64")) {
    throw Refused("The guest is of another architecture");
  }
  if (Ordered("mac") && Value(vmx, "firmware") != "efi") throw Refused("ARM boots by EFI only");
  const std::string mac = Value(vmx, "ethernet0.address");
  if (!absl::StartsWith(mac, "00:50:56:") || mac[9] > '3') throw Refused("Invalid static address");
  const fs::path folder = fs::path(path).parent_path();
  for (const char* const name : {"sata0:0.fileName", "sata0:1.fileName"}) {
    if (!fs::exists(folder / Value(vmx, name)))
      throw Refused("File not found: " + Value(vmx, name));
  }
}

std::string VmRun(const Args& args) {
  const std::string product = Ordered("mac") ? "fusion" : "ws";
  if (args.size() < 3 || args[0] != "-T" || args[1] != product) throw Refused("Unknown host type");
  const std::string& command = args[2];
  std::ofstream(Folder() + "/calls", std::ios::app) << command << "\n";
  std::set<std::string> running = PathsIn("running");
  if (command == "list") {
    std::string text = absl::StrCat("Total running VMs: ", running.size(), "\n");
    for (const std::string& path : running) absl::StrAppend(&text, path, "\n");
    return text;
  }
  if (args.size() < 4) throw Refused("Missing arguments");
  const std::string& path = args[3];
  const std::string vmx = ReadAll(path);
  const bool runs = running.count(path) > 0;
  std::set<std::string> paused = PathsIn("paused");
  if (command == "start") {
    if (args.size() != 5 || (args[4] != "gui" && args[4] != "nogui")) throw Refused("Invalid mode");
    if (runs) throw Refused("The file is already in use");
    CheckVmx(path, vmx);
    running.insert(path);
    // What it has resumed from is gone.
    const size_t memory = vmx.find("checkpoint.vmState");
    if (memory != std::string::npos) std::ofstream(path) << vmx.substr(0, memory);
    std::ofstream(Folder() + "/starts", std::ios::app) << path << "\n";
  } else if (command == "stop" || command == "suspend") {
    if (!runs) throw Refused("The virtual machine is not powered on: " + path);
    if (args.size() != 5 || (args[4] != "hard" && args[4] != "soft")) throw Refused("Invalid mode");
    if (args[4] == "soft" && Ordered("no_tools")) {
      throw Refused("The VMware Tools are not running in the virtual machine: " + path);
    }
    if (args[4] == "soft" && (Ordered("ignores_soft") || paused.count(path) > 0)) return "";
    running.erase(path);
    paused.erase(path);
    if (command == "suspend") {
      std::ofstream(path, std::ios::app) << "checkpoint.vmState = \"machine.vmss\"\n";
    }
  } else if (command == "pause" || command == "unpause") {
    if (!runs) throw Refused("The virtual machine is not powered on: " + path);
    if (command == "pause") {
      paused.insert(path);
    } else if (paused.erase(path) == 0) {
      throw Refused("The virtual machine is not paused");
    }
  } else if (command == "deleteVM") {
    if (runs) throw Refused("The virtual machine should not be powered on. It is already running.");
    fs::remove_all(fs::path(path).parent_path());
  } else if (command == "getGuestIPAddress") {
    if (!runs || Ordered("no_tools") || paused.count(path) > 0) {
      throw Refused("The VMware Tools are not running in the virtual machine: " + path);
    }
    return "192.168.203.128\n";
  } else {
    throw Refused("Unrecognized command: " + command);
  }
  SetPaths("running", running);
  SetPaths("paused", paused);
  return "";
}

int CapacityOf(const std::string& image) {
  const size_t at = image.find("capacity=");
  return at == std::string::npos ? 0 : std::atoi(image.c_str() + at + 9);
}

std::string DiskManager(const Args& args) {
  if (args.size() == 5 && args[0] == "-r" && args[2] == "-t" && args[3] == "0") {
    const std::string image = ReadAll(args[1]);
    if (!absl::StartsWith(image, "KDMV")) throw Refused("The file specified is not a virtual disk");
    if (fs::exists(args[4])) throw Refused("The file already exists");
    std::ofstream(args[4]) << image;
    return "Creating disk\nVirtual disk conversion successful.\n";
  }
  if (args.size() == 3 && args[0] == "-x" && absl::EndsWith(args[1], "MB")) {
    const int size = std::atoi(args[1].c_str());
    if (size <= CapacityOf(ReadAll(args[2]))) {
      throw Refused("Failed to expand the disk: The requested size is too small");
    }
    std::ofstream(args[2]) << "KDMV capacity=" << size << "\n";
    return "Disk expansion completed successfully.\n";
  }
  throw Refused("Invalid usage");
}

std::string QemuImg(const Args& args) {
  if (args[0] == "info") {
    return absl::StrCat("{\"format\": \"qcow2\"",
                        Ordered("refers") ? ", \"backing-filename\": \"x\"" : "", "}\n");
  }
  std::ofstream(args.back()) << "KDMV capacity=1024\n";
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = fs::path(argv[0]).filename();
  const Args args(argv + 1, argv + argc);
  const machine::common::UniqueFd lock(
      open((Folder() + "/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  flock(lock.get(), LOCK_EX);
  machine::fakes::DriverKiller killer(Folder());
  killer.BeforeEffect();
  try {
    if (name == "uname") {
      const bool mac = Ordered("mac");
      std::puts(args.at(0) == "-m" ? (mac ? "arm64" : "x86_64") : (mac ? "Darwin" : "Linux"));
    } else if (name == "qemu-img") {
      std::fputs(QemuImg(args).c_str(), stdout);
    } else {
      std::fputs((name == "vmrun" ? VmRun(args) : DiskManager(args)).c_str(), stdout);
    }
    killer.AfterEffect();
    return 0;
  } catch (const Refused& refused) {
    // On standard output, as vmrun does.
    std::printf("Error: %s\n", refused.what());
    return 255;
  }
}
