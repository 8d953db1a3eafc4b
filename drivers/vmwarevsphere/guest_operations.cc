#include "drivers/vmwarevsphere/guest_operations.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {
namespace {

// The account that every boot2docker has.
constexpr absl::string_view kUser = "docker";
constexpr absl::string_view kPassword = "tcuser";

std::string Auth() {
  return XmlNode("auth",
                 absl::StrCat(XmlLeaf("interactiveSession", "false"), XmlLeaf("username", kUser),
                              XmlLeaf("password", kPassword)),
                 {{"xsi:type", "NamePasswordAuthentication"}});
}

// boot2docker unpacks userdata.tar into the account's folder at each boot.
std::string Script(absl::string_view public_key) {
  return absl::StrCat(
      "umask 077; cd /home/docker && mkdir -p .ssh && echo '", public_key,
      "' >.ssh/authorized_keys && cp .ssh/authorized_keys .ssh/authorized_keys2 && "
      "chown -R docker:staff .ssh && tar cf /var/lib/boot2docker/userdata.tar .ssh");
}

absl::Status GuestFailed(absl::string_view code) {
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                       absl::StrCat("the guest's script ended with exit code ", code));
}

// Whether the guest may take the same order later.
bool Passes(const absl::Status& status) {
  return IsTransient(status) || FaultOf(status) == "GuestOperationsUnavailable" ||
         FaultOf(status) == "ToolsUnavailable" || FaultOf(status) == "InvalidState";
}

}  // namespace

absl::Status InstallGuestKey(const common::CallScope& call, VimClient& client,
                             const Backoff& backoff, const Ref& vm, absl::string_view public_key) {
  // It goes between quotes.
  if (public_key.find_first_of("'\\\n\r") != absl::string_view::npos) {
    return absl::InvalidArgumentError("the ssh key has a quote or line end in it");
  }
  DM_ASSIGN_OR_RETURN(const Service service, client.ServiceContent(call));
  DM_ASSIGN_OR_RETURN(const Properties managers,
                      client.RetrieveOne(call, service.guest_operations, {"processManager"}));
  const Ref processes = RefOf(managers.Get("processManager"));
  const std::string target = absl::StrCat(RefXml("vm", vm), Auth());
  const std::string program = XmlNode(
      "spec",
      absl::StrCat(XmlLeaf("programPath", "/usr/bin/sudo"),
                   XmlLeaf("arguments", absl::StrCat("/bin/sh -c \"", Script(public_key), "\""))),
      {{"xsi:type", "GuestProgramSpec"}});
  std::string pid;
  return Await<bool>(call, backoff,
                     [&]() -> absl::StatusOr<std::optional<bool>> {
                       if (pid.empty()) {
                         const absl::StatusOr<XmlElement> started = client.Call(
                             call, processes, "StartProgramInGuest", absl::StrCat(target, program));
                         if (!started.ok() && Passes(started.status())) return std::nullopt;
                         if (!started.ok()) return started.status();
                         pid = started->Text("returnval");
                       }
                       DM_ASSIGN_OR_RETURN(const XmlElement list,
                                           client.Read(call, processes, "ListProcessesInGuest",
                                                       absl::StrCat(target, XmlLeaf("pids", pid))));
                       const XmlElement& process = list.Child("returnval");
                       if (!process.Has("endTime")) return std::nullopt;
                       // A code of 0 may be left out.
                       const std::string& code = process.Text("exitCode");
                       if (!code.empty() && code != "0") return GuestFailed(code);
                       return true;
                     })
      .status();
}

}  // namespace machine::driver::vmwarevsphere
