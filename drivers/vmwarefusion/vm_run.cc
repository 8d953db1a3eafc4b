#include "drivers/vmwarefusion/vm_run.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarefusion {
namespace {

constexpr absl::Duration kLongestCopy = absl::Minutes(30);

// Five lines. Fusion's installer puts nothing into PATH.
constexpr char kAsk[] =
    "find_tool() { command -v \"$1\" && return; "
    "for d in '/Applications/VMware Fusion.app/Contents/Public' "
    "'/Applications/VMware Fusion.app/Contents/Library'; do "
    "if test -x \"$d/$1\"; then echo \"$d/$1\"; return; fi; done; echo; }; "
    "uname -s; uname -m; getconf _NPROCESSORS_ONLN; find_tool vmrun; "
    "find_tool vmware-vdiskmanager";

absl::Status CommandError(const std::string& command, const hypervisor::ToolOutput& output) {
  const absl::Status status = hypervisor::ToolError(absl::StrCat("vmrun ", command), output);
  return common::Error(status.code(), machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                       status.message());
}

}  // namespace

absl::StatusOr<HostFacts> VmRun::Facts(common::CallScope& call) {
  {
    absl::MutexLock lock(&mu_);
    if (facts_.has_value()) return *facts_;
  }
  DM_ASSIGN_OR_RETURN(const std::string text, hypervisor::RunTool(host_, call, {"sh", "-c", kAsk}));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  constexpr size_t kLines = 5;
  HostFacts facts;
  if (lines.size() < kLines || !absl::SimpleAtoi(lines[2], &facts.cpus)) {
    return absl::FailedPreconditionError(
        absl::StrCat(host_.name(), " did not tell what it is: \"", text.substr(0, 200), "\""));
  }
  const bool mac = lines[0] == "Darwin";
  facts.product = mac ? "fusion" : "ws";
  facts.arm = lines[1] == "arm64" || lines[1] == "aarch64";
  facts.vmrun = lines[3];
  facts.disk_manager = lines[4];
  if (facts.vmrun.empty() || facts.disk_manager.empty()) {
    return common::Error(
        absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED,
        absl::StrCat(facts.vmrun.empty() ? "vmrun" : "vmware-vdiskmanager", " is not installed on ",
                     host_.name(),
                     ": install VMware Fusion or Workstation, or name a host that has it by "
                     "--vmwarefusion-host"));
  }
  if (mac) {
    facts.leases = {"/var/db/vmware/vmnet-dhcpd-vmnet8.leases", "/var/db/dhcpd_leases",
                    "/var/db/vmware/vmnet-dhcpd-vmnet1.leases"};
  } else {
    facts.leases = {"/etc/vmware/vmnet8/dhcpd/dhcpd.leases",
                    "/etc/vmware/vmnet1/dhcpd/dhcpd.leases"};
  }
  absl::MutexLock lock(&mu_);
  facts_ = facts;
  return facts;
}

absl::StatusOr<std::string> VmRun::Read(common::CallScope& call, std::vector<std::string> args) {
  DM_ASSIGN_OR_RETURN(const HostFacts facts, Facts(call));
  const std::string command = args.front();
  args.insert(args.begin(), {facts.vmrun, "-T", facts.product});
  DM_ASSIGN_OR_RETURN(hypervisor::ToolOutput output, host_.Run(call, args));
  if (!output.ok()) return CommandError(command, output);
  return std::move(output.out);
}

absl::Status VmRun::Write(common::CallScope& call, std::vector<std::string> args,
                          absl::Duration timeout) {
  DM_ASSIGN_OR_RETURN(const HostFacts facts, Facts(call));
  const std::string command = args.front();
  args.insert(args.begin(), {facts.vmrun, "-T", facts.product});
  const auto work = [&]() -> absl::Status {
    DM_RETURN_IF_ERROR(call.Check());
    DM_ASSIGN_OR_RETURN(const hypervisor::ToolOutput output,
                        host_.Run(call, args, {.timeout = timeout}));
    return output.ok() ? absl::OkStatus() : CommandError(command, output);
  };
  // Two that start at once may take the same lock of the product.
  return command == "start" ? starts_.Run(call, work) : work();
}

absl::StatusOr<std::set<std::string>> VmRun::Running(common::CallScope& call) {
  DM_ASSIGN_OR_RETURN(const std::string text, Read(call, {"list"}));
  std::set<std::string> running;
  // After a line with their number.
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty() && line.front() == '/') running.emplace(line);
  }
  return running;
}

absl::Status VmRun::Disk(common::CallScope& call, std::vector<std::string> args) {
  DM_ASSIGN_OR_RETURN(const HostFacts facts, Facts(call));
  DM_RETURN_IF_ERROR(call.Check());
  args.insert(args.begin(), facts.disk_manager);
  DM_ASSIGN_OR_RETURN(const hypervisor::ToolOutput output,
                      host_.Run(call, args, {.timeout = kLongestCopy}));
  return hypervisor::ToolError("vmware-vdiskmanager", output);
}

}  // namespace machine::driver::vmwarefusion
