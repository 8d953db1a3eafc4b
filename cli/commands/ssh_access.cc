#include "cli/commands/ssh_access.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/commands/dial.h"
#include "cli/commands/errors.h"
#include "cli/commands/foreground.h"
#include "cli/commands/machines.h"
#include "cli/output/shell.h"
#include "services/common/file/file.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::Machines;

constexpr int kSshPort = 22;
// In the order in which the orchestrator asks for them: a host with several keys must show the one
// that was pinned.
constexpr char kHostKeyAlgorithms[] =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"
    "rsa-sha2-256";

// The exchange that the orchestrator's own connection uses, first: making a key of sntrup761, which
// OpenSSH 9 prefers, takes 0.1 s of Debian 12's ssh, more than the rest of a command. Whatever else
// this ssh and the host have in common still follows.
constexpr char kKexAlgorithms[] = "^curve25519-sha256";

// An argument of ssh_config(5): in quotes, with its percent signs taken as they are.
std::string ConfigWord(absl::string_view text) {
  return absl::StrCat(
      "\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"%", "%%"}}), "\"");
}

// Where the private orchestrator keeps the key, or where one that a shared orchestrator gave is
// put.
absl::StatusOr<std::string> KeyFile(const CommandContext& context, absl::string_view machine,
                                    const machine::v1::AccessBundle& bundle) {
  if (bundle.ssh_private_key().empty()) return std::string();
  if (context.orchestrator.is_private() && !bundle.local_folder().empty()) {
    std::string path = bundle.local_folder() + "/id_rsa";
    if (access(path.c_str(), R_OK) == 0) return path;
  }
  const std::string folder = common::MachineFolder(context.storage_path, machine);
  DM_RETURN_IF_ERROR(common::EnsureDir(context.storage_path, 0700));
  DM_RETURN_IF_ERROR(common::EnsureDir(context.storage_path + "/machines", 0700));
  DM_RETURN_IF_ERROR(common::EnsurePrivateDir(folder));
  std::string path = folder + "/id_rsa";
  DM_RETURN_IF_ERROR(common::WriteFileAtomically(path, bundle.ssh_private_key(), 0600));
  return path;
}

// The value of ProxyCommand, a command for the user's shell, that runs this program with `args`.
std::string OwnCommand(const CommandContext& context, const std::vector<std::string>& args) {
  std::vector<std::string> words = {OwnProgram()};
  words.insert(words.end(), context.global_flags.begin(), context.global_flags.end());
  words.insert(words.end(), args.begin(), args.end());
  return absl::StrJoin(words, " ", [](std::string* out, const std::string& word) {
    absl::StrAppend(out, QuoteForPosix(absl::StrReplaceAll(word, {{"%", "%%"}})));
  });
}

std::string Section(const CommandContext& context, const SshAccess& access) {
  // The key is compared by a command, as only its fingerprint is known.
  const std::string own = ConfigWord(OwnProgram());
  std::string text = absl::StrCat(
      "Host ", access.machine, "\n  HostName ", ConfigWord(access.host), "\n  Port ", access.port,
      "\n  User ", ConfigWord(access.user), "\n  HostKeyAlias ", access.machine,
      "\n  HostKeyAlgorithms ", kHostKeyAlgorithms, "\n  KexAlgorithms ", kKexAlgorithms,
      "\n  StrictHostKeyChecking yes\n  UserKnownHostsFile none\n  GlobalKnownHostsFile none\n"
      "  KnownHostsCommand ",
      own, " ssh-host-key ", access.machine, " ", access.host_key_sha256,
      " %H %t %K %f\n"
      "  CheckHostIP no\n  UpdateHostKeys no\n  PasswordAuthentication no\n"
      "  KbdInteractiveAuthentication no\n  ControlPath none\n  LogLevel ERROR\n"
      // A host that takes connections and says nothing would be waited for without end.
      "  ConnectTimeout 15\n  ServerAliveInterval 15\n");
  if (!access.key_path.empty()) {
    absl::StrAppend(&text, "  IdentityFile ", ConfigWord(access.key_path),
                    "\n  IdentitiesOnly yes\n");
  }
  const std::string port = absl::StrCat(access.port);
  if (access.through_orchestrator) {
    absl::StrAppend(&text, "  ProxyCommand ",
                    OwnCommand(context, {"ssh-tunnel", access.machine, port}), "\n");
  } else if (access.dial_for_ssh) {
    absl::StrAppend(&text, "  ProxyUseFdpass yes\n  ProxyCommand ",
                    OwnCommand(context, {"ssh-dial", access.host, port}), "\n");
  }
  return text;
}

}  // namespace

absl::StatusOr<SshAccess> GetSshAccess(CommandContext& context, absl::string_view machine) {
  // The record must be fresh enough to know a machine that was switched off behind its back.
  DM_ASSIGN_OR_RETURN(const machine::v1::Machine record,
                      GetMachine(context, machine, {.fields = {"state"}, .max_age = kMaxAge}));
  machine::v1::GetAccessBundleRequest request;
  request.set_name(ResourceName(machine));
  request.set_include_ssh_key(true);
  const auto bundle =
      context.orchestrator.Call<Machines>(&Machines::Stub::GetAccessBundle, request);
  if (!bundle.ok()) return UserError(bundle.status(), machine);
  const machine::v1::Endpoint& endpoint = bundle->endpoint();
  if (IsOff(record.state()) || endpoint.ssh_host().empty()) {
    return UserError(common::Error(absl::StatusCode::kFailedPrecondition,
                                   machine::v1::ERROR_REASON_MACHINE_NOT_RUNNING, ""),
                     machine);
  }
  SshAccess access;
  access.machine = std::string(machine);
  access.host = endpoint.ssh_host();
  access.port = endpoint.ssh_port() == 0 ? kSshPort : endpoint.ssh_port();
  access.user = endpoint.ssh_user();
  access.host_key_sha256 = endpoint.ssh_host_key_sha256();
  DM_ASSIGN_OR_RETURN(access.key_path, KeyFile(context, machine, *bundle));
  // A private orchestrator has the same way to the machine as this process.
  access.through_orchestrator = !context.orchestrator.is_private() &&
                                !TryConnect(access.host, absl::StrCat(access.port)).ok();
  if (access.through_orchestrator &&
      std::find(endpoint.ip_addresses().begin(), endpoint.ip_addresses().end(), access.host) ==
          endpoint.ip_addresses().end()) {
    access.port = kSshPort;  // Elsewhere the port is one that is forwarded to the machine's own.
  }
  return access;
}

absl::StatusOr<SshAccess> GetPinnedSshAccess(CommandContext& context, const std::string& machine) {
  DM_ASSIGN_OR_RETURN(SshAccess access, GetSshAccess(context, machine));
  if (!access.host_key_sha256.empty()) return access;
  return common::Error(
      absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_SSH_UNREACHABLE,
      absl::StrCat("the host key of \"", machine,
                   "\" is not known yet: run docker-machine provision ", machine, " first"));
}

std::string SshConfig(const CommandContext& context, const std::vector<SshAccess>& machines) {
  std::string text;
  for (const SshAccess& access : machines) text += Section(context, access);
  return text;
}

absl::StatusOr<SshConfigFile> SshConfigFile::Make(const CommandContext& context,
                                                  const std::vector<SshAccess>& machines) {
  DM_RETURN_IF_ERROR(common::EnsureDir(context.storage_path, 0700));
  std::string path = context.storage_path + "/ssh-config-XXXXXX";
  const common::UniqueFd fd(mkostemp(path.data(), O_CLOEXEC));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, absl::StrCat("creating ", path));
  SshConfigFile file(path);
  DM_RETURN_IF_ERROR(
      common::WriteFileAtomically(path, SshConfig(context, machines), 0600, {.fsync = false}));
  return file;
}

SshConfigFile::SshConfigFile(SshConfigFile&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

SshConfigFile::~SshConfigFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

}  // namespace machine::cli
