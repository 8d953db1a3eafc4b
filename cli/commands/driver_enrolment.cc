#include "cli/commands/driver_enrolment.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "cli/commands/driver_unit.h"
#include "cli/commands/foreground.h"
#include "machine/v1/driver_certificates.grpc.pb.h"
#include "machine/v1/drivers.grpc.pb.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::DriverCertificates;
using machine::v1::Drivers;

constexpr int kMaxPort = 65535;
// A driver that has just been started needs a moment until it listens.
constexpr absl::Duration kStartLimit = absl::Seconds(20);
constexpr absl::Duration kPause = absl::Milliseconds(200);

// Run on the host by root, in the folder of the files that came with it.
constexpr char kInstall[] = R"sh(set -eu
name=$1 driver=$2 owner=$3
die() { echo "$*" >&2; exit 1; }
command -v systemctl >/dev/null || die "this host has no systemd: run machine-driver-$driver yourself, and use docker-machine driver register"
folder=/etc/docker-machine/drivers/$name
unit=machine-driver-$name.service
changed=
if [ -e program ]; then
  program=/usr/local/lib/docker-machine/machine-driver-$driver
  missing() { ldd program 2>/dev/null | sed -n 's/^\t*\([^ ]*\) => not found.*/\1/p' | tr '\n' ' '; }
  if [ -n "$(missing)" ] && command -v apt-get >/dev/null; then
    echo "Installing the libraries that the driver needs..."
    export DEBIAN_FRONTEND=noninteractive
    { apt-get -qq update && apt-get -qq install --no-install-recommends libcurl4 libprometheus-cpp-core1.0 \
      libprometheus-cpp-pull1.0 libssh-4; } >/dev/null 2>&1 </dev/null || true
  fi
  [ -z "$(missing)" ] || die "these libraries are missing on this host: $(missing)"
  if ! cmp -s program "$program"; then
    install -D -m 0755 program "$program.new"
    mv "$program.new" "$program"
    changed=yes
  fi
else
  for program in /usr/libexec/docker-machine /usr/local/libexec/docker-machine /usr/local/lib/docker-machine; do
    program=$program/machine-driver-$driver
    [ ! -x "$program" ] || break
  done
  [ -x "$program" ] || die "machine-driver-$driver is installed neither here nor where docker-machine runs: name it with --program"
fi
# As a program of the hypervisor makes it when it is installed.
group=$(sed -n 's/^SupplementaryGroups=//p' near-hypervisor.conf)
[ -z "$group" ] || getent group "$group" >/dev/null ||
  die "this host has no group $group: install what machine-driver-$driver uses there first"
id "$owner" >/dev/null 2>&1 || useradd --system --user-group --no-create-home --home-dir /nonexistent \
  --shell /usr/sbin/nologin --comment "docker-machine driver" "$owner"
install -d -m 0755 /etc/docker-machine /etc/docker-machine/drivers
install -d -m 0700 -o "$owner" -g "$owner" "$folder"
rm -f "$folder/cert.pem.next"
for file in ca.pem key.pem cert.pem; do
  install -m 0600 -o "$owner" -g "$owner" $file "$folder/$file.new"
done
for file in ca.pem key.pem cert.pem; do
  mv "$folder/$file.new" "$folder/$file"
done
sed "s|@PROGRAM@|$program|" unit >unit.done
# Installs file $1 as $2 where that differs.
replace() {
  ! cmp -s "$1" "$2" || return 0
  install -D -m 0644 "$1" "$2"
  changed=yes
}
replace config "/etc/docker-machine/driver-$name.yaml"
replace unit.done "/etc/systemd/system/$unit"
replace near-hypervisor.conf "/etc/systemd/system/$unit.d/near-hypervisor.conf"
[ -z "$changed" ] || systemctl daemon-reload
systemctl --quiet enable "$unit"
if [ -n "$changed" ] || ! systemctl --quiet is-active "$unit"; then
  echo "Starting $unit..."
  systemctl restart "$unit"
fi
)sh";

constexpr char kRemove[] = R"sh(set -eu
name=$1
unit=machine-driver-$name.service
[ -e "/etc/systemd/system/$unit" ] || [ -e "/etc/docker-machine/drivers/$name" ] || {
  echo "There is no driver $name on this host." >&2
  exit 0
}
program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "/etc/systemd/system/$unit" 2>/dev/null || true)
systemctl --quiet disable --now "$unit" 2>/dev/null || true
rm -rf "/etc/systemd/system/$unit" "/etc/systemd/system/$unit.d" "/etc/docker-machine/drivers/$name" \
  "/etc/docker-machine/driver-$name.yaml"
systemctl daemon-reload
# Only where this command has put it, and no other driver uses it.
case $program in
  /usr/local/lib/docker-machine/*)
    grep -qs "^ExecStart=$program " /etc/systemd/system/machine-driver-*.service || rm -f "$program"
    rmdir /usr/local/lib/docker-machine 2>/dev/null || true ;;
esac
rmdir /etc/docker-machine/drivers /etc/docker-machine 2>/dev/null || true
# What instances have left there is not this command's to remove.
[ ! -e "/var/lib/docker-machine-driver-$name" ] ||
  find "/var/lib/docker-machine-driver-$name" -depth -type d -empty -delete
# The packages' user stays theirs.
[ -e /usr/lib/sysusers.d/docker-machine-server.conf ] || [ -e /etc/docker-machine/drivers ] ||
  [ -n "$(find /var/lib -maxdepth 1 -name 'docker-machine-driver-*')" ] ||
  userdel docker-machine-driver 2>/dev/null || true
)sh";

// Unpacks what comes on standard input, and runs install.sh there by root.
constexpr char kUnpack[] =
    "d=$(mktemp -d) && trap 'rm -rf \"$d\"' EXIT && tar -xzf - -C \"$d\" && cd \"$d\" && "
    "if [ \"$(id -u)\" = 0 ]; then sh run.sh; "
    "elif command -v sudo >/dev/null; then sudo -n sh run.sh; "
    "else echo 'root is needed, or sudo' >&2; exit 1; fi";

std::string Folder(const DriverEnrolment& enrolment) {
  return "/etc/docker-machine/drivers/" + enrolment.name;
}

// The unit of the packages, as one of a single driver: its program may be anywhere.
std::string Unit(const DriverEnrolment& enrolment) {
  return absl::StrReplaceAll(
      kDriverUnit,
      {{"/usr/libexec/docker-machine/machine-driver-%i", "@PROGRAM@"}, {"%i", enrolment.name}});
}

// What its kind of driver needs beside the sandbox of the unit, and what an enrolled one does: it
// is there as long as the host is, and writes its certificate anew.
std::string DropIn(const DriverEnrolment& enrolment) {
  constexpr std::pair<absl::string_view, absl::string_view> kDropIns[] = {
      {"docker", kDriverDocker},
      {"qemu", kDriverQemu},
      {"virtualbox", kNearHypervisor},
      {"vmwarefusion", kNearHypervisor},
  };
  std::string text;
  for (const auto& [driver, drop_in] : kDropIns) {
    if (driver == enrolment.driver) text = absl::StrCat(drop_in, "\n");
  }
  return absl::StrCat(
      text, "[Service]\nRestart=always\nRestartSec=2s\nReadWritePaths=", Folder(enrolment), "\n");
}

// Who runs it, and has its certificate.
std::string Owner(const DriverEnrolment& enrolment) {
  return absl::StrContains(DropIn(enrolment), "\nUser=root\n") ? "root" : "docker-machine-driver";
}

std::string Config(const DriverEnrolment& enrolment) {
  const std::string folder = Folder(enrolment);
  return absl::StrCat("listen: \"[::]:", enrolment.port, "\"\ntls-cert: ", folder,
                      "/cert.pem\ntls-key: ", folder, "/key.pem\ntls-ca: ", folder,
                      "/ca.pem\ndata-dir: /var/lib/docker-machine-driver-", enrolment.name, "\n");
}

// A folder for this user only, removed at the end.
class StagingFolder {
 public:
  static absl::StatusOr<StagingFolder> Make() {
    std::string path = (std::filesystem::temp_directory_path() / "docker-machine-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) return absl::ErrnoToStatus(errno, path);
    return StagingFolder(std::move(path));
  }
  StagingFolder(StagingFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  StagingFolder& operator=(StagingFolder&&) = delete;
  ~StagingFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  absl::Status Write(absl::string_view name, absl::string_view data) const {
    return common::WriteFileAtomically(absl::StrCat(path_, "/files/", name), data, 0600,
                                       {.fsync = false});
  }

 private:
  explicit StagingFolder(std::string path) : path_(std::move(path)) {
    std::filesystem::create_directory(path_ + "/files");
  }

  std::string path_;
};

// Sends the files of `staging` to the host and runs run.sh among them.
absl::Status RunThere(const CommandContext& context, const DriverHost& host,
                      const StagingFolder& staging) {
  const std::string archive = staging.path() + "/archive";
  DM_ASSIGN_OR_RETURN(
      const common::RunResult packed,
      common::RunProgram({"tar", "-chzf", archive, "-C", staging.path() + "/files", "."}));
  if (!packed.ok()) return absl::InternalError(absl::StrCat("tar: ", packed.stderr_data));
  const common::UniqueFd file(open(archive.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return absl::ErrnoToStatus(errno, archive);
  DM_RETURN_IF_ERROR(common::EnsureDir(context.storage_path, 0700));
  common::SpawnOptions options;
  options.argv = {"ssh",
                  "-o",
                  "StrictHostKeyChecking=accept-new",
                  "-o",
                  absl::StrCat("UserKnownHostsFile=\"", context.storage_path,
                               "/known_hosts\" ~/.ssh/known_hosts"),
                  "-o",
                  "LogLevel=ERROR",
                  "-o",
                  "ConnectTimeout=15"};
  if (host.port != 0) options.argv.insert(options.argv.end(), {"-p", absl::StrCat(host.port)});
  if (!host.identity.empty()) {
    options.argv.insert(options.argv.end(), {"-o", "IdentitiesOnly=yes", "-i", host.identity});
  }
  options.argv.insert(options.argv.end(), {"--", host.destination, kUnpack});
  options.stdin_from = common::Stdio::Fd(file.get());
  DM_ASSIGN_OR_RETURN(common::Process ssh, common::Process::Spawn(options));
  DM_ASSIGN_OR_RETURN(const common::ExitStatus exit, ssh.Wait());
  if (exit.ok()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("on ", host.destination, ": ", exit.ToString(),
                                             "; what went wrong stands above"));
}

// The driver's program here; empty where there is none.
std::string ProgramHere(const CommandContext& context, absl::string_view driver) {
  const std::string own = OwnProgram();
  const std::filesystem::path folder = std::filesystem::path(own).parent_path();
  const std::string given = context.env.Get("MACHINE_LIBEXEC");
  const std::filesystem::path libexec = given.empty()
                                            ? folder.parent_path() / "libexec/docker-machine"
                                            : std::filesystem::path(given);
  const std::string program = libexec / absl::StrCat("machine-driver-", driver);
  return access(program.c_str(), X_OK) == 0 ? program : "";
}

// Once it listens.
absl::StatusOr<machine::v1::DriverInfo> Register(CommandContext& context,
                                                 const DriverEnrolment& enrolment,
                                                 absl::string_view ca_pem) {
  machine::v1::RegisterDriverRequest request;
  request.set_name(enrolment.name);
  const bool ipv6 = absl::StrContains(enrolment.address, ':');
  request.set_address(ipv6 ? absl::StrCat("[", enrolment.address, "]:", enrolment.port)
                           : absl::StrCat(enrolment.address, ":", enrolment.port));
  request.set_ca_pem(std::string(ca_pem));
  const absl::Time give_up = absl::Now() + kStartLimit;
  for (;;) {
    auto driver = context.orchestrator.Call<Drivers>(&Drivers::Stub::RegisterDriver, request);
    if (driver.ok() || absl::Now() > give_up ||
        !(absl::IsUnavailable(driver.status()) || absl::IsDeadlineExceeded(driver.status()))) {
      return common::Annotate(
          std::move(driver), absl::StrCat("the driver runs, but the orchestrator cannot use it at ",
                                          request.address()));
    }
    absl::SleepFor(kPause);
  }
}

}  // namespace

absl::StatusOr<DriverHost> DriverHost::Parse(absl::string_view url) {
  const absl::Status malformed = absl::InvalidArgumentError(
      absl::StrCat("invalid value \"", url, "\" for --host: ssh://[USER@]HOST[:PORT] is expected"));
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "ssh://")) return malformed;
  absl::ConsumeSuffix(&rest, "/");
  const size_t at = rest.rfind('@');
  const absl::string_view user = at == absl::string_view::npos ? "" : rest.substr(0, at);
  if (at != absl::string_view::npos) rest.remove_prefix(at + 1);
  DriverHost host;
  const size_t colon = rest.rfind(':');
  if (colon != absl::string_view::npos && !absl::EndsWith(rest, "]")) {
    if (!absl::SimpleAtoi(rest.substr(colon + 1), &host.port) || host.port < 1 ||
        host.port > kMaxPort) {
      return malformed;
    }
    rest = rest.substr(0, colon);
  }
  if (absl::ConsumePrefix(&rest, "[") && !absl::ConsumeSuffix(&rest, "]")) return malformed;
  const bool plain = std::all_of(rest.begin(), rest.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(".-_:%", c);
  });
  if (rest.empty() || rest.front() == '-' || !plain ||
      (at != absl::string_view::npos && (user.empty() || user.front() == '-'))) {
    return malformed;
  }
  host.host = std::string(rest);
  host.destination = user.empty() ? host.host : absl::StrCat(user, "@", host.host);
  return host;
}

absl::Status EnrolDriver(CommandContext& context, const DriverEnrolment& enrolment) {
  DM_ASSIGN_OR_RETURN(const common::CertRequest key, common::MakeCertRequest());
  machine::v1::IssueDriverCertificateRequest request;
  request.set_request_pem(key.request_pem);
  request.add_hosts(enrolment.address);
  DM_ASSIGN_OR_RETURN(const machine::v1::IssueDriverCertificateResponse certificate,
                      context.orchestrator.Call<DriverCertificates>(
                          &DriverCertificates::Stub::IssueDriverCertificate, request));
  DM_ASSIGN_OR_RETURN(const StagingFolder staging, StagingFolder::Make());
  const std::string program =
      enrolment.program.empty() ? ProgramHere(context, enrolment.driver) : enrolment.program;
  if (!program.empty()) {
    if (access(program.c_str(), R_OK) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("--program: ", program));
    }
    std::filesystem::create_symlink(std::filesystem::absolute(program),
                                    staging.path() + "/files/program");
  }
  DM_RETURN_IF_ERROR(staging.Write("ca.pem", certificate.ca_pem()));
  DM_RETURN_IF_ERROR(staging.Write("cert.pem", certificate.cert_pem()));
  DM_RETURN_IF_ERROR(staging.Write("key.pem", key.key_pem.view()));
  DM_RETURN_IF_ERROR(staging.Write("unit", Unit(enrolment)));
  DM_RETURN_IF_ERROR(staging.Write("config", Config(enrolment)));
  DM_RETURN_IF_ERROR(staging.Write("near-hypervisor.conf", DropIn(enrolment)));
  // All are plain words.
  DM_RETURN_IF_ERROR(
      staging.Write("run.sh", absl::StrCat("set -- ", enrolment.name, " ", enrolment.driver, " ",
                                           Owner(enrolment), "\n", kInstall)));
  context.Say(absl::StrCat("Installing machine-driver-", enrolment.driver, " on ",
                           enrolment.host.destination, "...\n"));
  DM_RETURN_IF_ERROR(RunThere(context, enrolment.host, staging));
  DM_ASSIGN_OR_RETURN(const machine::v1::DriverInfo driver,
                      Register(context, enrolment, certificate.ca_pem()));
  context.Say(absl::StrCat(
      "Registered the driver \"", enrolment.name, "\", version ", driver.version(), ", at ",
      driver.address(), ". To use it, run: docker-machine create -d ", enrolment.name, " NAME\n"));
  return absl::OkStatus();
}

absl::Status RemoveDriverFrom(CommandContext& context, const DriverHost& host,
                              absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const StagingFolder staging, StagingFolder::Make());
  DM_RETURN_IF_ERROR(staging.Write("run.sh", absl::StrCat("set -- ", name, "\n", kRemove)));
  context.Say(absl::StrCat("Removing the driver \"", name, "\" from ", host.destination, "...\n"));
  return RunThere(context, host, staging);
}

}  // namespace machine::cli
