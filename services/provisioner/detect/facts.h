// What a host is and has, found out with one command.
#ifndef SERVICES_PROVISIONER_DETECT_FACTS_H_
#define SERVICES_PROVISIONER_DETECT_FACTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/rpc/call_scope.h"
#include "services/provisioner/host/remote_host.h"

namespace machine::provisioner {

/// The files that the provisioner owns on a host.
inline constexpr absl::string_view kCaPath = "/etc/docker/ca.pem";
inline constexpr absl::string_view kServerCertPath = "/etc/docker/server.pem";
inline constexpr absl::string_view kServerKeyPath = "/etc/docker/server-key.pem";
inline constexpr absl::string_view kDropInPath =
    "/etc/systemd/system/docker.service.d/10-machine.conf";
/// Merged with what is there, so it is not owned but shared.
inline constexpr absl::string_view kDaemonJsonPath = "/etc/docker/daemon.json";

/// boot2docker keeps over a reboot only what is below this folder.
inline constexpr absl::string_view kBoot2dockerCaPath = "/var/lib/boot2docker/ca.pem";
inline constexpr absl::string_view kBoot2dockerServerCertPath = "/var/lib/boot2docker/server.pem";
inline constexpr absl::string_view kBoot2dockerServerKeyPath =
    "/var/lib/boot2docker/server-key.pem";
/// What its start script of the engine reads.
inline constexpr absl::string_view kBoot2dockerProfilePath = "/var/lib/boot2docker/profile";
inline constexpr absl::string_view kBoot2dockerDaemonJsonPath = "/var/lib/boot2docker/daemon.json";

/// How the login user may become root.
enum class RootAccess { kNone, kRoot, kSudo };

/// A systemd unit, in systemd's words. All empty where it was not asked.
struct UnitFacts {
  std::string load_state;       ///< "loaded", "not-found", "masked"…
  std::string active_state;     ///< "active", "inactive", "failed"…
  std::string unit_file_state;  ///< "enabled", "disabled", "masked"…
  bool need_daemon_reload = false;
};

struct FileFacts {
  std::string sha256;  ///< Hexadecimal; empty where the file could not be read.
  int mode = 0;        ///< Permission bits.
  int uid = -1;
};

struct DiskFacts {
  std::string mount;
  int64_t free_kib = 0;
};

struct Facts {
  std::string os_id;
  std::string os_version;
  std::string os_name;
  std::string architecture;
  std::string hostname;
  std::string init;  ///< "systemd", or the name of process 1.
  std::string user;
  RootAccess access = RootAccess::kNone;
  std::string access_error;    ///< Why not, in sudo's words.
  std::string dockerd_path;    ///< Empty where no engine is installed.
  std::string docker_version;  ///< Such as "20.10.24+dfsg1"; empty where not known.
  /// An installation is under way or was cut off: there may be a dockerd, but not all around it.
  bool engine_incomplete = false;
  UnitFacts docker_service;
  UnitFacts docker_socket;
  std::string exec_start;  ///< Of the installed unit, without drop-ins.
  /// Variables that exec_start names, from the unit's files: "OPTIONS" and its value.
  std::map<std::string, std::string> unit_variables;
  /// An engine that no systemd has started: the process of its pid file runs.
  bool engine_alive = false;
  std::map<std::string, FileFacts> files;
  std::optional<std::string> daemon_json;
  bool pending = false;  ///< Files were changed and the engine was not restarted since.
  std::set<std::string> storage_with_data;  ///< Storage drivers that hold images.
  int running_containers = 0;
  std::vector<DiskFacts> disks;  ///< Of /usr, /var/lib and /var/cache.
  bool cloud_init_running = false;

  bool engine_installed() const { return !dockerd_path.empty() && !engine_incomplete; }
};

/// The script that prints the facts, for appending to a script that changes some of them.
absl::string_view FactsScript();

/// Replaces in `facts` what `output` tells, so the output of FactsScript() alone keeps the access.
/// UNAVAILABLE SSH_UNREACHABLE when the output is cut off; lines that are no facts are skipped.
absl::Status ParseFacts(absl::string_view output, Facts& facts);

/// Asks the host: one command. Errors: FAILED_PRECONDITION HOST_COMMAND_FAILED with the shell's
/// words when the host cannot run a POSIX shell script; those of RemoteHost::Run().
absl::StatusOr<Facts> DetectFacts(common::CallScope& call, RemoteHost& host);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DETECT_FACTS_H_
