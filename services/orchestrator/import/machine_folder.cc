#include "services/orchestrator/import/machine_folder.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

namespace fs = std::filesystem;

constexpr char kConfig[] = "config.json";
// What makes a folder ours; its readers ignore fields they do not know.
constexpr char kMarker[] = "MachineUid";
// What a program of the original needs, and Write() puts.
constexpr absl::string_view kFiles[] = {kConfig,   "ca.pem", "cert.pem",
                                        "key.pem", "id_rsa", "id_rsa.pub"};
constexpr mode_t kPublicMode = 0644;
constexpr mode_t kPrivateMode = 0600;

FolderOwner OwnerOf(const std::string& folder) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(folder, error);
  if (status.type() == fs::file_type::not_found) return FolderOwner::kNobody;
  if (status.type() != fs::file_type::directory) return FolderOwner::kSomebodyElse;
  const absl::StatusOr<std::string> text = common::ReadFile(absl::StrCat(folder, "/", kConfig));
  if (!text.ok()) {
    // A crash between two steps of a write or a removal can leave it empty, nothing else.
    return fs::is_empty(folder, error) && !error ? FolderOwner::kNobody
                                                 : FolderOwner::kSomebodyElse;
  }
  const auto config = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  return config.is_object() && config.contains(kMarker) ? FolderOwner::kUs
                                                        : FolderOwner::kSomebodyElse;
}

// Names from requests and from the disk meet here; none may lead out of the folder.
bool IsPlainName(absl::string_view name) {
  return !name.empty() && name[0] != '.' && !absl::StrContains(name, '/') &&
         !absl::StrContains(name, '\0');
}

absl::Status WriteIfChanged(const std::string& path, absl::string_view contents, mode_t mode) {
  const absl::StatusOr<std::string> old = common::ReadFile(path);
  if (old.ok() && *old == contents) return absl::OkStatus();
  return common::WriteFileAtomically(path, contents, mode, {.fsync = false});
}

bool FolderHas(const std::string& folder, const ClientBundle& bundle) {
  for (const auto& [file, contents] :
       {std::pair("/ca.pem", &bundle.ca_pem), std::pair("/cert.pem", &bundle.cert_pem),
        std::pair("/key.pem", &bundle.key_pem)}) {
    const absl::StatusOr<std::string> there = common::ReadFile(absl::StrCat(folder, file));
    if (!there.ok() || *there != *contents) return false;
  }
  return true;
}

absl::Status RemoveFile(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("removing ", path));
}

absl::Status WriteBundle(const std::string& folder, const ClientBundle& bundle) {
  DM_RETURN_IF_ERROR(WriteIfChanged(absl::StrCat(folder, "/ca.pem"), bundle.ca_pem, kPublicMode));
  DM_RETURN_IF_ERROR(
      WriteIfChanged(absl::StrCat(folder, "/cert.pem"), bundle.cert_pem, kPublicMode));
  return WriteIfChanged(absl::StrCat(folder, "/key.pem"), bundle.key_pem, kPrivateMode);
}

// The name is id_rsa whatever the key's type: it is what scripts look for.
absl::Status WriteSshKey(const std::string& folder, absl::string_view private_key,
                         absl::string_view public_key) {
  const std::string path = absl::StrCat(folder, "/id_rsa");
  if (private_key.empty()) {
    DM_RETURN_IF_ERROR(RemoveFile(path));
    return RemoveFile(absl::StrCat(path, ".pub"));
  }
  DM_RETURN_IF_ERROR(WriteIfChanged(path, private_key, kPrivateMode));
  return WriteIfChanged(absl::StrCat(path, ".pub"), absl::StrCat(public_key, "\n"), kPrivateMode);
}

}  // namespace

FolderOwner OwnerOfMachineFolder(const std::string& folder) { return OwnerOf(folder); }

std::string MachineFolder::PathOf(absl::string_view name) const {
  return common::MachineFolder(storage_path_, name);
}

absl::Status MachineFolder::Write(const MachineRecord& record, const ClientBundle& bundle,
                                  absl::string_view ssh_private_key) {
  const machine::v1::Machine& machine = record.machine();
  const absl::string_view name = common::MachineId(machine.name());
  if (!IsPlainName(name)) {
    return absl::InvalidArgumentError(absl::StrCat("no name for a folder: \"", name, "\""));
  }
  const std::string folder = PathOf(name);
  absl::MutexLock lock(&mu_);
  if (OwnerOf(folder) == FolderOwner::kSomebodyElse) {
    if (!IsImportedHere(name, record.imported_from())) {
      return absl::FailedPreconditionError(
          absl::StrCat(folder, " belongs to another program and is left as it is"));
    }
    if (FolderHas(folder, bundle)) return absl::OkStatus();
    DM_RETURN_IF_ERROR(KeepOriginal(name));
  }
  DM_RETURN_IF_ERROR(common::EnsureDir(folder, 0700));
  nlohmann::ordered_json config = common::LegacyConfig(machine, storage_path_);
  config[kMarker] = machine.uid();
  // First, because it marks the folder as ours.
  DM_RETURN_IF_ERROR(WriteIfChanged(absl::StrCat(folder, "/", kConfig),
                                    common::LegacyConfigText(config), kPrivateMode));
  DM_RETURN_IF_ERROR(WriteBundle(folder, bundle));
  DM_RETURN_IF_ERROR(WriteSshKey(folder, ssh_private_key, record.ssh_public_key()));
  return WriteCerts(bundle);
}

absl::Status MachineFolder::WriteCerts(const ClientBundle& bundle) {
  const std::string folder = absl::StrCat(storage_path_, "/certs");
  // An authority of the original, whose machines need its files. Ours has its key elsewhere.
  std::error_code error;
  if (fs::exists(absl::StrCat(folder, "/ca-key.pem"), error)) return absl::OkStatus();
  DM_RETURN_IF_ERROR(common::EnsureDir(folder, 0700));
  return WriteBundle(folder, bundle);
}

bool MachineFolder::IsImportedHere(absl::string_view name, absl::string_view imported_from) const {
  if (imported_from.empty()) return false;
  std::error_code error;
  return fs::equivalent(PathOf(name), std::string(imported_from), error) && !error;
}

absl::Status MachineFolder::KeepOriginal(absl::string_view name) const {
  const std::string kept = absl::StrCat(storage_path_, "/imported/", name);
  DM_RETURN_IF_ERROR(common::EnsureDir(kept, 0700));
  for (const absl::string_view file : kFiles) {
    const absl::StatusOr<std::string> contents =
        common::ReadFile(absl::StrCat(PathOf(name), "/", file));
    if (!contents.ok()) continue;
    // After a crash in between, what was kept first is the original.
    const absl::Status status =
        common::CreateFileAtomically(absl::StrCat(kept, "/", file), *contents, kPrivateMode);
    if (!status.ok() && !absl::IsAlreadyExists(status)) return status;
  }
  return absl::OkStatus();
}

absl::Status MachineFolder::Remove(absl::string_view name, absl::string_view imported_from) {
  absl::MutexLock lock(&mu_);
  return RemoveLocked(name, imported_from);
}

absl::Status MachineFolder::RemoveLocked(absl::string_view name, absl::string_view imported_from) {
  if (!IsPlainName(name)) return absl::OkStatus();
  const std::string folder = PathOf(name);
  const FolderOwner owner = OwnerOf(folder);
  if (owner == FolderOwner::kNobody) return absl::OkStatus();
  if (owner == FolderOwner::kSomebodyElse && !IsImportedHere(name, imported_from)) {
    return absl::OkStatus();
  }
  std::error_code error;
  // The marker goes last: a crash half way leaves a folder that is still ours.
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename() != kConfig) fs::remove_all(entry->path(), error);
    if (error) break;
  }
  if (!error) fs::remove_all(folder, error);
  if (!error) return absl::OkStatus();
  return absl::ErrnoToStatus(error.value(), absl::StrCat("removing ", folder));
}

absl::Status MachineFolder::Reconcile(const std::vector<std::string>& names) {
  std::vector<std::string> known = names;
  std::sort(known.begin(), known.end());
  const std::string folder = absl::StrCat(storage_path_, "/machines");
  absl::MutexLock lock(&mu_);
  std::vector<std::string> left_over;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (!std::binary_search(known.begin(), known.end(), name)) left_over.push_back(std::move(name));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return absl::ErrnoToStatus(error.value(), absl::StrCat("reading ", folder));
  }
  absl::Status first_failure;
  for (const std::string& name : left_over) first_failure.Update(RemoveLocked(name, ""));
  return first_failure;
}

bool MachineFolder::HasBundle(absl::string_view name, const ClientBundle& bundle) const {
  return IsPlainName(name) && FolderHas(PathOf(name), bundle);
}

bool MachineFolder::ForeignFolderExists(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  return IsPlainName(name) && OwnerOf(PathOf(name)) == FolderOwner::kSomebodyElse;
}

}  // namespace machine::orchestrator
