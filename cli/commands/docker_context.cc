#include "cli/commands/docker_context.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "re2/re2.h"
#include "services/common/crypto/digest.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

namespace fs = std::filesystem;

// Files of a certificate bundle, as both programs call them.
constexpr const char* kTlsFiles[] = {"ca.pem", "cert.pem", "key.pem"};

// By which a context is known to be ours. The docker command shows it in `context ls`.
std::string Description(absl::string_view machine) {
  return absl::StrCat("docker-machine ", machine);
}

absl::Status RemoveFolder(const std::string& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (!error) return absl::OkStatus();
  return absl::ErrnoToStatus(error.value(), absl::StrCat("removing ", folder));
}

}  // namespace

DockerContexts::DockerContexts(const Environment& env) : folder_(env.Get("DOCKER_CONFIG")) {
  if (folder_.empty()) folder_ = env.Get("HOME") + "/.docker";
  folder_ += "/contexts";
}

absl::Status DockerContexts::CheckName(absl::string_view name) {
  // As the docker command checks it.
  static constexpr char kPattern[] = "[a-zA-Z0-9][a-zA-Z0-9_.+-]+";
  if (name != "default" && RE2::FullMatch(std::string(name), kPattern)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a docker context cannot be called \"", name,
                   "\": give another name with --name (two characters or more)"));
}

std::string DockerContexts::MetaFolder(absl::string_view name) const {
  return absl::StrCat(folder_, "/meta/", common::Sha256Hex(name));
}

std::string DockerContexts::TlsFolder(absl::string_view name) const {
  return absl::StrCat(folder_, "/tls/", common::Sha256Hex(name));
}

DockerContexts::Owner DockerContexts::OwnerOf(absl::string_view name,
                                              absl::string_view machine) const {
  const auto text = common::ReadFile(MetaFolder(name) + "/meta.json");
  if (absl::IsNotFound(text.status())) return Owner::kNobody;
  if (!text.ok()) return Owner::kOther;
  const auto meta = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const nlohmann::json::json_pointer description("/Metadata/Description");
  const bool ours = meta.is_object() && meta.contains(description) &&
                    meta.at(description) == Description(machine);
  return ours ? Owner::kUs : Owner::kOther;
}

absl::Status DockerContexts::Write(absl::string_view name, absl::string_view machine,
                                   const Access& access) const {
  DM_RETURN_IF_ERROR(CheckName(name));
  if (OwnerOf(name, machine) == Owner::kOther) {
    return absl::AlreadyExistsError(
        absl::StrCat("a docker context \"", name,
                     "\" exists that docker-machine did not make for this machine: choose another "
                     "name with --name, or remove it with docker context rm ",
                     name));
  }
  // The certificates first: a context without them would be used without.
  const std::string tls = TlsFolder(name);
  DM_RETURN_IF_ERROR(RemoveFolder(tls));
  if (!access.plaintext) {
    DM_RETURN_IF_ERROR(common::EnsureDir(tls + "/docker", 0700));
    for (const char* file : kTlsFiles) {
      DM_ASSIGN_OR_RETURN(const std::string pem,
                          common::ReadFile(absl::StrCat(access.cert_path, "/", file)));
      DM_RETURN_IF_ERROR(
          common::WriteFileAtomically(absl::StrCat(tls, "/docker/", file), pem, 0600));
    }
  }
  const nlohmann::ordered_json meta = {
      {"Name", std::string(name)},
      {"Metadata", {{"Description", Description(machine)}}},
      {"Endpoints", {{"docker", {{"Host", access.url}, {"SkipTLSVerify", false}}}}}};
  const std::string folder = MetaFolder(name);
  DM_RETURN_IF_ERROR(common::EnsureDir(folder, 0755));
  return common::WriteFileAtomically(folder + "/meta.json", meta.dump(), 0644);
}

absl::Status DockerContexts::Remove(absl::string_view name, absl::string_view machine) const {
  switch (OwnerOf(name, machine)) {
    case Owner::kNobody:
      return absl::NotFoundError(absl::StrCat("there is no docker context \"", name, "\""));
    case Owner::kOther:
      return absl::FailedPreconditionError(
          absl::StrCat("the docker context \"", name, "\" is none that docker-machine made for \"",
                       machine, "\": it is left as it is"));
    case Owner::kUs:
      break;
  }
  DM_RETURN_IF_ERROR(RemoveFolder(MetaFolder(name)));
  return RemoveFolder(TlsFolder(name));
}

}  // namespace machine::cli
