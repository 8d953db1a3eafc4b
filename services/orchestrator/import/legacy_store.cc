#include "services/orchestrator/import/legacy_store.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/status/status.h"
#include "services/orchestrator/events/natural_order.h"
#include "services/orchestrator/import/machine_folder.h"

namespace machine::orchestrator {
namespace {

namespace fs = std::filesystem;

// Longer than any config.json, certificate or key.
constexpr int64_t kMaxFileBytes = 1 << 20;

absl::string_view BaseName(absl::string_view path) {
  // Stores of Windows, too.
  const size_t slash = path.find_last_of("/\\");
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

absl::StatusOr<LegacyStore> LegacyStore::Open(absl::string_view path) {
  if (!absl::StartsWith(path, "/")) {
    return common::InvalidField("path", absl::StrCat("\"", path, "\" is not an absolute path"));
  }
  std::error_code error;
  const fs::path real = fs::canonical(std::string(path), error);
  if (error || !fs::is_directory(real / "machines", error)) {
    return absl::NotFoundError(absl::StrCat("there is no docker-machine store at ", path,
                                            ": it would have a folder \"machines\""));
  }
  return LegacyStore(real.string());
}

absl::StatusOr<std::vector<std::string>> LegacyStore::Names() const {
  const std::string folder = path_ + "/machines";
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    std::string name = entry->path().filename().string();
    if (absl::StartsWith(name, ".") || !entry->is_directory(ignored)) continue;
    if (OwnerOfMachineFolder(entry->path().string()) != FolderOwner::kSomebodyElse) continue;
    names.push_back(std::move(name));
  }
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read ", folder, ": ", error.message()));
  }
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return NaturalKey(a) < NaturalKey(b);
  });
  return names;
}

std::string LegacyStore::FolderOf(absl::string_view name) const {
  return common::MachineFolder(path_, name);
}

absl::StatusOr<std::string> LegacyStore::ReadConfig(absl::string_view name) const {
  absl::StatusOr<std::string> text =
      common::ReadFile(absl::StrCat(FolderOf(name), "/config.json"), kMaxFileBytes);
  if (text.ok()) return text;
  if (absl::IsNotFound(text.status())) {
    return absl::FailedPreconditionError("it has no config.json");
  }
  return absl::FailedPreconditionError(
      absl::StrCat("its config.json cannot be read: ", text.status().message()));
}

std::string LegacyStore::Find(absl::string_view name, absl::string_view written,
                              absl::string_view usual) const {
  const std::string folder = FolderOf(name);
  std::vector<std::string> places = {absl::StrCat(folder, "/", usual)};
  if (!written.empty()) {
    places.push_back(absl::StrCat(folder, "/", BaseName(written)));
    places.push_back(absl::StrCat(path_, "/certs/", BaseName(written)));
    places.emplace_back(written);
  }
  places.push_back(absl::StrCat(path_, "/certs/", usual));
  for (const std::string& place : places) {
    absl::StatusOr<std::string> text = common::ReadFile(place, kMaxFileBytes);
    if (text.ok() && !text->empty()) return *std::move(text);
  }
  return "";
}

LegacyFiles LegacyStore::ReadFiles(absl::string_view name, const LegacyPaths& paths) const {
  LegacyFiles files;
  files.tls.ca_pem = Find(name, paths.ca_cert, "ca.pem");
  files.tls.cert_pem = Find(name, paths.client_cert, "cert.pem");
  files.tls.key_pem = Find(name, paths.client_key, "key.pem");
  files.tls.ca_key_pem = Find(name, paths.ca_key, "ca-key.pem");
  files.server_cert_pem = Find(name, paths.server_cert, "server.pem");
  files.server_key_pem = Find(name, paths.server_key, "server-key.pem");
  files.ssh_private_key = Find(name, paths.ssh_key, "id_rsa");
  return files;
}

}  // namespace machine::orchestrator
