#include "drivers/qemu/qemu_command.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "drivers/qemu/accelerator.h"
#include "drivers/qemu/qmp.h"

namespace machine::driver::qemu {
namespace {

constexpr int kGuestSsh = 22;
constexpr int kGuestSwarm = 3376;

// A comma ends a value unless there are two.
std::string Value(absl::string_view text) { return absl::StrReplaceAll(text, {{",", ",,"}}); }

std::string Network(const MachineFile& machine, const Settings& settings) {
  if (!settings.bridge.empty()) return absl::StrCat("bridge,id=net,br=", Value(settings.bridge));
  if (!settings.tap.empty()) {
    return absl::StrCat("tap,id=net,ifname=", Value(settings.tap), ",script=no,downscript=no");
  }
  std::string network = "user,id=net";
  const auto forward = [&](int host, int guest) {
    absl::StrAppend(&network, ",hostfwd=tcp:", machine.address, ":", host, "-:", guest);
  };
  const Ports ports = machine.ports.value_or(Ports());
  forward(ports.ssh(), kGuestSsh);
  // The engine listens on the number that its clients know.
  forward(ports.engine(), ports.engine());
  forward(ports.swarm(), kGuestSwarm);
  for (const Forward& more : settings.forwards) forward(more.host, more.guest);
  return network;
}

}  // namespace

std::string ShareTag(size_t index) { return absl::StrCat("share", index); }

std::vector<std::string> QemuCommand(const MachineFile& machine, const Settings& settings,
                                     const std::string& folder, absl::string_view accelerator,
                                     const std::optional<Firmware>& firmware) {
  const bool kvm = accelerator == "kvm";
  const auto file = [&](absl::string_view name) {
    return absl::StrCat("file=", Value(absl::StrCat(folder, "/", name)));
  };
  std::vector<std::string> argv = {std::string(kSystemProgram)};
  const auto add = [&](absl::string_view option, std::string value) {
    argv.emplace_back(option);
    argv.push_back(std::move(value));
  };
  argv.insert(argv.end(), {"-no-user-config", "-nodefaults", "-daemonize"});
  add("-display", "none");
  add("-name", absl::StrCat("guest=", Value(machine.name)));
  add("-uuid", machine.uid);
  add("-pidfile", absl::StrCat(folder, "/", kPidFile));
  add("-machine", "q35");
  add("-accel", kvm ? "kvm" : "tcg,thread=multi,tb-size=512");
  add("-cpu", kvm ? "host" : "max");
  add("-smp", absl::StrCat(settings.cpus));
  add("-m", absl::StrCat(settings.memory_mib));
  if (firmware.has_value()) {
    add("-drive",
        absl::StrCat("if=pflash,unit=0,format=raw,readonly=on,file=", Value(firmware->code)));
    if (!firmware->variables.empty()) {
      add("-drive", absl::StrCat("if=pflash,unit=1,format=raw,", file(kVariablesFile)));
    }
  }
  add("-drive", absl::StrCat("if=none,id=disk,format=qcow2,discard=unmap,cache=",
                             settings.cache_mode, ",", file(kDiskFile)));
  add("-device", "virtio-blk-pci,drive=disk,bootindex=1");
  // No drive for CDs: the kernels of some cloud images know virtio only.
  add("-drive", absl::StrCat("if=none,id=seed,format=raw,readonly=on,", file(kSeedFile)));
  add("-device", "virtio-blk-pci,drive=seed");
  add("-netdev", Network(machine, settings));
  add("-device", absl::StrCat("virtio-net-pci,netdev=net,mac=", MacAddress(machine.uid)));
  add("-device", "virtio-rng-pci");
  add("-device", "virtio-serial-pci");
  add("-chardev", absl::StrCat("socket,id=agent,server=on,wait=off,path=", kAgentSocket));
  add("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0");
  for (size_t i = 0; i < settings.shares.size(); ++i) {
    const Share& share = settings.shares[i];
    add("-fsdev", absl::StrCat("local,id=", ShareTag(i), ",security_model=mapped-xattr,path=",
                               Value(share.source), share.read_only ? ",readonly=on" : ""));
    add("-device", absl::StrCat("virtio-9p-pci,fsdev=", ShareTag(i), ",mount_tag=", ShareTag(i)));
  }
  // The last lines of the console stay in memory, so that a guest cannot fill the host's disk.
  add("-chardev", "ringbuf,id=console,size=65536");
  add("-serial", "chardev:console");
  add("-qmp", absl::StrCat("unix:", kQmpSocket, ",server=on,wait=off"));
  // More cannot be denied to a process that is to go into the background and to start helpers.
  add("-sandbox", "on,obsolete=deny,resourcecontrol=deny");
  return argv;
}

}  // namespace machine::driver::qemu
