#include "drivers/virtualbox/host_network.h"

#include <arpa/inet.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::virtualbox {
namespace {

// As VirtualBox names the network of an interface.
constexpr char kNetworkPrefix[] = "HostInterfaceNetworking-";

bool IsAddress(const std::string& text) {
  in_addr address = {};
  return inet_pton(AF_INET, text.c_str(), &address) == 1 && address.s_addr != INADDR_ANY;
}

absl::StatusOr<std::string> MakeInterface(common::CallScope& call, VBoxManage& vbox,
                                          const AddressRange& range) {
  const absl::StatusOr<std::string> made = vbox.Write(call, {"hostonlyif", "create"});
  if (absl::IsFailedPrecondition(made.status())) {
    return common::Annotate(made.status(),
                            "no host-only network can be made (are the kernel's modules loaded? "
                            "--virtualbox-network nat does without)");
  }
  DM_RETURN_IF_ERROR(made.status());
  const std::string& said = *made;
  // Interface 'vboxnet0' was successfully created
  const size_t open = said.find('\'');
  const size_t close = said.find('\'', open + 1);
  if (open == std::string::npos || close == std::string::npos) {
    return absl::FailedPreconditionError(
        absl::StrCat("VBoxManage hostonlyif create named no interface: ", said.substr(0, 200)));
  }
  const std::string name = said.substr(open + 1, close - open - 1);
  const absl::Status addressed =
      vbox.Write(call, {"hostonlyif", "ipconfig", name, absl::StrCat("--ip=", range.host),
                        absl::StrCat("--netmask=", range.netmask)})
          .status();
  if (addressed.ok()) return name;
  vbox.Write(call, {"hostonlyif", "remove", name}).IgnoreError();
  if (absl::StrContains(addressed.message(), "E_ACCESSDENIED")) {
    return absl::FailedPreconditionError(
        absl::StrCat("--", kCidrFlag, ": VirtualBox does not allow ", range.cidr,
                     " for host-only networks: choose one within 192.168.56.0/21, or allow it by "
                     "the line \"* ",
                     range.cidr, "\" in /etc/vbox/networks.conf"));
  }
  return addressed;
}

absl::Status EnsureDhcp(common::CallScope& call, VBoxManage& vbox, const std::string& interface,
                        const AddressRange& range) {
  DM_ASSIGN_OR_RETURN(const std::string text, vbox.Read(call, {"list", "dhcpservers"}));
  std::string verb = "add";
  for (const Fields& server : ParseGroups(text)) {
    if (FieldOf(server, "NetworkName") != absl::StrCat(kNetworkPrefix, interface)) continue;
    // "Dhcpd IP" since 6.1, "IP" before.
    const std::string& ip =
        server.count("Dhcpd IP") > 0 ? FieldOf(server, "Dhcpd IP") : FieldOf(server, "IP");
    if (ip == range.dhcp && FieldOf(server, "LowerIPAddress") == range.lower &&
        FieldOf(server, "UpperIPAddress") == range.upper && FieldOf(server, "Enabled") == "Yes") {
      return absl::OkStatus();
    }
    verb = "modify";
  }
  return vbox
      .Write(call,
             {"dhcpserver", verb, absl::StrCat("--network=", kNetworkPrefix, interface),
              absl::StrCat("--server-ip=", range.dhcp), absl::StrCat("--netmask=", range.netmask),
              absl::StrCat("--lower-ip=", range.lower), absl::StrCat("--upper-ip=", range.upper),
              "--enable"})
      .status();
}

}  // namespace

absl::StatusOr<std::string> EnsureHostOnly(common::CallScope& call, VBoxManage& vbox,
                                           const Settings& settings) {
  std::string name;
  DM_RETURN_IF_ERROR(vbox.gate().Run(call, [&]() -> absl::Status {
    DM_ASSIGN_OR_RETURN(const std::string text, vbox.Read(call, {"list", "hostonlyifs"}));
    for (const Fields& interface : ParseGroups(text)) {
      if (name.empty() && FieldOf(interface, "IPAddress") == settings.range.host &&
          FieldOf(interface, "NetworkMask") == settings.range.netmask) {
        name = FieldOf(interface, "Name");
      }
    }
    if (name.empty()) {
      call.Progress("Creating host-only network...");
      DM_ASSIGN_OR_RETURN(name, MakeInterface(call, vbox, settings.range));
    }
    if (settings.no_dhcp) return absl::OkStatus();
    return EnsureDhcp(call, vbox, name, settings.range);
  }));
  return name;
}

absl::StatusOr<std::string> GuestAddress(common::CallScope& call, VBoxManage& vbox,
                                         const std::string& vm, const std::string& interface,
                                         const std::string& mac) {
  // Fails while there is no lease, and where there is no server.
  const absl::StatusOr<std::string> lease = vbox.Read(
      call, {"dhcpserver", "findlease", absl::StrCat("--network=", kNetworkPrefix, interface),
             absl::StrCat("--mac-address=", mac)});
  DM_RETURN_IF_ERROR(call.Check());
  if (lease.ok()) {
    for (const Fields& fields : ParseGroups(*lease)) {
      const std::string& address = FieldOf(fields, "IP Address");
      if (IsAddress(address) && FieldOf(fields, "State") != "expired") return address;
    }
  }
  DM_ASSIGN_OR_RETURN(
      const std::string property,
      vbox.Read(call, {"guestproperty", "get", vm, "/VirtualBox/GuestInfo/Net/1/V4/IP"}));
  const std::string address = ParseValue(property);
  return IsAddress(address) ? address : std::string();
}

}  // namespace machine::driver::virtualbox
