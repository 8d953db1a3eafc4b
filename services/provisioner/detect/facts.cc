#include "services/provisioner/detect/facts.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"
#include "services/provisioner/host/shell_text.h"

namespace machine::provisioner {
namespace {

using ::machine::common::Error;

constexpr char kFactsScript[] =
#include "services/provisioner/detect/facts.sh.inc"
    ;
constexpr char kAccessScript[] =
#include "services/provisioner/detect/access.sh.inc"
    ;

// "Docker version 20.10.24+dfsg1, build 297e128" -> "20.10.24+dfsg1".
std::string VersionIn(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "Docker version ")) return "";
  absl::string_view version = line.substr(0, line.find(','));
  absl::ConsumePrefix(&version, "v");
  return std::string(version);
}

// Reads the lines of one output; some go together with the line before them.
class Reader {
 public:
  explicit Reader(Facts& facts) : facts_(facts) {}

  void Read(absl::string_view name, absl::string_view value) {
    const auto text = text_facts_.find(name);
    if (text != text_facts_.end()) {
      *text->second = PrintableText(value);
    } else if (absl::ConsumePrefix(&name, "unit.")) {
      ReadUnit(name, value);
    } else {
      ReadOther(name, value);
    }
  }

  bool complete() const { return complete_; }

 private:
  void ReadUnit(absl::string_view name, absl::string_view value) {
    if (name == "Id") {
      unit_ = value == "docker.service"  ? &facts_.docker_service
              : value == "docker.socket" ? &facts_.docker_socket
                                         : nullptr;
      if (unit_ != nullptr) *unit_ = UnitFacts();
      return;
    }
    if (unit_ == nullptr) return;
    if (name == "LoadState") unit_->load_state = std::string(value);
    if (name == "ActiveState") unit_->active_state = std::string(value);
    if (name == "UnitFileState") {
      unit_->unit_file_state = std::string(value);
      // Only our own installations do that.
      if (value == "masked-runtime") facts_.engine_incomplete = true;
    }
    if (name == "NeedDaemonReload") unit_->need_daemon_reload = value == "yes";
  }

  void ReadOther(absl::string_view name, absl::string_view value) {
    if (name == "access") {
      facts_.access = value == "root"   ? RootAccess::kRoot
                      : value == "sudo" ? RootAccess::kSudo
                                        : RootAccess::kNone;
    } else if (name == "dockerd_version") {
      facts_.docker_version = VersionIn(value);
    } else if (name == "daemon_json") {
      std::string decoded;
      if (absl::Base64Unescape(value, &decoded)) facts_.daemon_json = std::move(decoded);
    } else if (name == "unit_variable") {
      const std::pair<std::string, std::string> variable =
          absl::StrSplit(value, absl::MaxSplits('=', 1));
      facts_.unit_variables[variable.first] = variable.second;
    } else if (name == "package") {
      if (value != "installed" && value != "not-installed" && value != "config-files") {
        facts_.engine_incomplete = true;
      }
    } else if (name == "pending") {
      facts_.pending = value == "1";
    } else if (name == "engine_alive") {
      facts_.engine_alive = value == "1";
    } else if (name == "storage_data") {
      facts_.storage_with_data.insert(PrintableText(value));
    } else if (name == "cloud_init") {
      facts_.cloud_init_running = value == "running";
    } else if (name == "running_containers") {
      if (!absl::SimpleAtoi(value, &facts_.running_containers)) facts_.running_containers = 0;
    } else if (name == "end") {
      complete_ = true;
    } else {
      ReadFileOrDisk(name, value);
    }
  }

  void ReadFileOrDisk(absl::string_view name, absl::string_view value) {
    if (name == "sha256") {  // As sha256sum prints it: "HEX  PATH".
      const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(value, "  ");
      facts_.files[std::string(parts.second)].sha256 = std::string(parts.first);
    } else if (name == "mode") {  // "640 0 PATH".
      const std::vector<std::string> parts = absl::StrSplit(value, absl::MaxSplits(' ', 2));
      if (parts.size() != 3) return;
      FileFacts& file = facts_.files[parts[2]];
      file.mode = static_cast<int>(std::strtol(parts[0].c_str(), nullptr, 8));
      if (!absl::SimpleAtoi(parts[1], &file.uid)) file.uid = -1;
    } else if (name == "disk") {  // "FREE_KIB MOUNT".
      const std::pair<absl::string_view, absl::string_view> parts =
          absl::StrSplit(value, absl::MaxSplits(' ', 1));
      DiskFacts disk;
      disk.mount = PrintableText(parts.second);
      if (absl::SimpleAtoi(parts.first, &disk.free_kib)) facts_.disks.push_back(std::move(disk));
    }
  }

  Facts& facts_;
  UnitFacts* unit_ = nullptr;
  bool complete_ = false;
  const std::map<absl::string_view, std::string*> text_facts_ = {
      {"os_id", &facts_.os_id},
      {"os_version", &facts_.os_version},
      {"os_name", &facts_.os_name},
      {"architecture", &facts_.architecture},
      {"hostname", &facts_.hostname},
      {"init", &facts_.init},
      {"user", &facts_.user},
      {"access_error", &facts_.access_error},
      {"dockerd", &facts_.dockerd_path},
      {"exec_start", &facts_.exec_start},
  };
};

}  // namespace

absl::string_view FactsScript() { return kFactsScript; }

absl::Status ParseFacts(absl::string_view output, Facts& facts) {
  Facts fresh;
  fresh.user = facts.user;
  fresh.access = facts.access;
  fresh.access_error = facts.access_error;
  Reader reader(fresh);
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    if (!absl::ConsumePrefix(&line, "@fact ")) continue;
    const std::pair<absl::string_view, absl::string_view> fact =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    reader.Read(fact.first, fact.second);
  }
  if (!reader.complete()) {
    return Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_SSH_UNREACHABLE,
                 "the host's answer about itself is cut off");
  }
  facts = std::move(fresh);
  return absl::OkStatus();
}

absl::StatusOr<Facts> DetectFacts(common::CallScope& call, RemoteHost& host) {
  HostScript script;
  // As root if possible.
  script.text = absl::StrCat(kAccessScript, "$as sh -s <<'MACHINE_FACTS_END'\n", kFactsScript,
                             "MACHINE_FACTS_END\n");
  DM_ASSIGN_OR_RETURN(const common::CommandResult result, host.Run(call, script));
  if (!result.ok()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                 absl::StrCat("the host cannot run a shell script: ",
                              PrintableText(absl::StripAsciiWhitespace(result.stderr_data), 500)),
                 {{"step", "detect"}, {"exit_code", absl::StrCat(result.exit_code)}});
  }
  Facts facts;
  DM_RETURN_IF_ERROR(ParseFacts(result.stdout_data, facts));
  return facts;
}

}  // namespace machine::provisioner
