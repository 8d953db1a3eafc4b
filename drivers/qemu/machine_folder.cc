#include "drivers/qemu/machine_folder.h"

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/hypervisor/host_ports.h"
#include "drivers/sdk/errors.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::qemu {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr absl::string_view kFile = "machine.json";
// Below those that Linux gives to outgoing connections, so that they are free after a while, too.
constexpr int kFirstPort = 20000;
constexpr int kTriples = 4000;
constexpr size_t kUuidSize = 36;

// FNV-1a: short, and the same in every process and version.
uint64_t Digest(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

bool IsUuid(absl::string_view text) {
  if (text.size() != kUuidSize) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !absl::ascii_isxdigit(static_cast<unsigned char>(text[i]))) {
      return false;
    }
  }
  return true;
}

std::string ToText(const MachineFile& file) {
  Json json = {{"uid", file.uid},
               {"name", file.name},
               {"orchestrator", file.orchestrator_id},
               {"settings", file.settings},
               {"base-image", file.base_image},
               {"base-format", file.base_format},
               {"ssh-user", file.ssh_user},
               {"address", file.address}};
  if (file.ports.has_value()) {
    json["ports"] = {{"ssh", file.ports->ssh()},
                     {"engine", file.ports->engine()},
                     {"swarm", file.ports->swarm()}};
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Text(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : "";
}

int Port(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_number_integer() ? it->get<int>() : 0;
}

absl::StatusOr<MachineFile> FromText(const std::string& path, const std::string& text) {
  const Json json = Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  MachineFile file;
  if (json.is_object()) {
    file = {.uid = Text(json, "uid"),
            .name = Text(json, "name"),
            .orchestrator_id = Text(json, "orchestrator"),
            .settings = Text(json, "settings"),
            .base_image = Text(json, "base-image"),
            .base_format = Text(json, "base-format"),
            .ssh_user = Text(json, "ssh-user"),
            .ports = std::nullopt,
            .address = Text(json, "address")};
    const auto ports = json.find("ports");
    if (ports != json.end() && ports->is_object()) {
      file.ports.emplace();
      file.ports->set_ssh(Port(*ports, "ssh"));
      file.ports->set_engine(Port(*ports, "engine"));
      file.ports->set_swarm(Port(*ports, "swarm"));
    }
  }
  if (file.uid.empty()) return absl::DataLossError(absl::StrCat(path, " is damaged"));
  return file;
}

// Whether nobody listens there, as far as can be told by listening.
absl::Status NotFree(absl::string_view flag, const std::string& address, int port) {
  return PreCreateCheckFailed(absl::StrCat("--", flag, ": port ", port, " of ", address,
                                           " is taken, or this host does not have the address"));
}

}  // namespace

std::string MacAddress(absl::string_view uid) {
  const uint64_t digest = Digest(uid);
  // QEMU's own prefix.
  return absl::StrFormat("52:54:00:%02x:%02x:%02x", digest & 0xff, digest >> 8 & 0xff,
                         digest >> 16 & 0xff);
}

std::string MachineFolders::Temporary(absl::string_view uid, absl::string_view what) const {
  return absl::StrCat(root_, "/.", what, "-", uid);
}

absl::StatusOr<std::string> MachineFolders::PathOf(absl::string_view uid) const {
  if (IsUuid(uid)) return absl::StrCat(root_, "/", uid);
  return absl::InvalidArgumentError(absl::StrCat("\"", uid, "\" is no UUID"));
}

absl::StatusOr<std::optional<MachineFile>> MachineFolders::Read(absl::string_view uid) const {
  DM_ASSIGN_OR_RETURN(const std::string folder, PathOf(uid));
  const std::string path = absl::StrCat(folder, "/", kFile);
  const absl::StatusOr<std::string> text = common::ReadFile(path);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  DM_RETURN_IF_ERROR(text.status());
  DM_ASSIGN_OR_RETURN(MachineFile file, FromText(path, *text));
  return file;
}

std::vector<MachineFile> MachineFolders::List() const {
  std::vector<MachineFile> files;
  std::error_code error;
  for (fs::directory_iterator it(root_, error), end; !error && it != end; it.increment(error)) {
    const std::string uid = it->path().filename().string();
    if (!IsUuid(uid)) continue;
    absl::StatusOr<std::optional<MachineFile>> file = Read(uid);
    if (file.ok() && file->has_value()) files.push_back(**std::move(file));
  }
  return files;
}

absl::Status MachineFolders::ChoosePorts(MachineFile& file, const Settings& settings,
                                         int first_attempt) const {
  std::set<int> taken;
  for (const MachineFile& other : List()) {
    if (other.uid == file.uid || !other.ports.has_value()) continue;
    taken.insert({other.ports->ssh(), other.ports->engine(), other.ports->swarm()});
  }
  for (const Forward& forward : settings.forwards) taken.insert(forward.host);
  const auto is_free = [&](int port) {
    return taken.count(port) == 0 && hypervisor::PortIsFree(settings.address, port);
  };
  if (settings.ssh_port != 0 && !is_free(settings.ssh_port)) {
    return NotFree(kSshPortFlag, settings.address, settings.ssh_port);
  }
  if (settings.engine_port != 0 && !is_free(settings.engine_port)) {
    return NotFree(kEnginePortFlag, settings.address, settings.engine_port);
  }
  for (int attempt = first_attempt; attempt < first_attempt + kTriples; ++attempt) {
    const int first =
        kFirstPort +
        3 * static_cast<int>((Digest(file.uid) + static_cast<uint64_t>(attempt)) % kTriples);
    if (!is_free(first) || !is_free(first + 1) || !is_free(first + 2)) continue;
    file.ports.emplace();
    file.ports->set_ssh(settings.ssh_port != 0 ? settings.ssh_port : first);
    file.ports->set_engine(settings.engine_port != 0 ? settings.engine_port : first + 1);
    file.ports->set_swarm(first + 2);
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("no free ports from ", kFirstPort, " at ",
                                                    settings.address,
                                                    ", or this host does not have the address"));
}

absl::Status MachineFolders::Add(MachineFile& file, const Settings& settings,
                                 const std::function<absl::Status(MachineFile&)>& prepare) {
  DM_ASSIGN_OR_RETURN(const std::string folder, PathOf(file.uid));
  const std::string fresh = Temporary(file.uid, "new");
  absl::MutexLock lock(&mu_);
  if (settings.forwards_ports()) DM_RETURN_IF_ERROR(ChoosePorts(file, settings, 0));
  DM_RETURN_IF_ERROR(prepare(file));
  DM_RETURN_IF_ERROR(common::EnsurePrivateDir(root_));
  DM_RETURN_IF_ERROR(common::EnsurePrivateDir(fresh));
  DM_RETURN_IF_ERROR(
      common::WriteFileAtomically(absl::StrCat(fresh, "/", kFile), ToText(file), 0600));
  std::error_code error;
  fs::rename(fresh, folder, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("making ", folder));
  return absl::OkStatus();
}

absl::Status MachineFolders::ChooseOtherPorts(MachineFile& file, const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::string folder, PathOf(file.uid));
  absl::MutexLock lock(&mu_);
  DM_RETURN_IF_ERROR(ChoosePorts(file, settings, ++port_attempts_));
  return common::WriteFileAtomically(absl::StrCat(folder, "/", kFile), ToText(file), 0600);
}

absl::Status MachineFolders::Remove(absl::string_view uid) {
  DM_ASSIGN_OR_RETURN(const std::string folder, PathOf(uid));
  const std::string old = Temporary(uid, "old");
  std::error_code error;
  // What an earlier removal has left: a folder cannot take the name of one that has something in
  // it.
  fs::remove_all(old, error);
  if (!error) fs::rename(folder, old, error);
  if (error && error != std::errc::no_such_file_or_directory) {
    return absl::ErrnoToStatus(error.value(), absl::StrCat("removing ", folder));
  }
  for (const std::string& path : {old, Temporary(uid, "new")}) {
    fs::remove_all(path, error);
    if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("removing ", path));
  }
  return absl::OkStatus();
}

void MachineFolders::Sweep(const std::string& images,
                           const std::function<void(const std::string&)>& unused) {
  absl::MutexLock lock(&mu_);
  std::set<std::string> used;
  std::error_code error;
  for (fs::directory_iterator it(root_, error), end; !error && it != end; it.increment(error)) {
    if (!IsUuid(it->path().filename().string())) continue;
    const absl::StatusOr<std::optional<MachineFile>> file = Read(it->path().filename().string());
    // One that cannot be read may need any of them.
    if (!file.ok()) return;
    if (file->has_value()) used.insert((*file)->base_image);
  }
  if (error) return;
  for (fs::directory_iterator it(images, error), end; !error && it != end; it.increment(error)) {
    if (used.count(it->path().string()) == 0) unused(it->path().string());
  }
}

}  // namespace machine::driver::qemu
