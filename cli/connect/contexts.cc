#include "cli/connect/contexts.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using nlohmann::json;

std::string TextOf(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

std::string FileOf(const json& object, const char* key, absl::string_view folder) {
  const std::string path = TextOf(object, key);
  if (path.empty() || path[0] == '/') return path;
  return absl::StrCat(folder, "/", path);
}

std::string FilePath(absl::string_view storage_path) {
  return absl::StrCat(storage_path, "/contexts.json");
}

absl::StatusOr<std::string> ReadCredential(const Context& context, const std::string& path,
                                           absl::string_view what, absl::string_view flag) {
  if (path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no ", what, ": an address with TLS needs ",
                                                   flag, ", or a name: docker-machine server add"));
  }
  absl::StatusOr<std::string> text = common::ReadFile(path);
  if (absl::IsNotFound(text.status()) && !context.name.empty()) {
    return common::Error(
        absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_CLIENT_CREDENTIALS,
        absl::StrCat("not joined to the server \"", context.name,
                     "\" yet: ask an admin for a join token (docker-machine user token USER), then "
                     "run docker-machine login --server ",
                     context.name, " TOKEN"));
  }
  return common::Annotate(std::move(text), what);
}

}  // namespace

bool Context::uses_tls() const {
  return !absl::StartsWith(address, "unix:") && !absl::StartsWith(address, "insecure://");
}

const Context* Contexts::Find(absl::string_view name) const {
  for (const Context& context : all) {
    if (context.name == name) return &context;
  }
  return nullptr;
}

absl::StatusOr<Contexts> ReadContexts(absl::string_view storage_path) {
  const std::string path = FilePath(storage_path);
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return Contexts();
  if ((info.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, " may be read by others: run chmod 600 ", path));
  }
  DM_ASSIGN_OR_RETURN(const std::string text, common::ReadFile(path));
  const json file = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!file.is_object()) return absl::DataLossError(absl::StrCat(path, " is not JSON"));
  Contexts contexts{.current = TextOf(file, "current")};
  const auto entries = file.find("contexts");
  if (entries == file.end() || !entries->is_array()) return contexts;
  for (const json& entry : *entries) {
    if (!entry.is_object()) continue;
    contexts.all.push_back({.name = TextOf(entry, "name"),
                            .address = TextOf(entry, "address"),
                            .ca_file = FileOf(entry, "ca", storage_path),
                            .cert_file = FileOf(entry, "cert", storage_path),
                            .key_file = FileOf(entry, "key", storage_path)});
  }
  return contexts;
}

absl::Status WriteContexts(absl::string_view storage_path, const Contexts& contexts) {
  nlohmann::ordered_json file = {{"current", contexts.current},
                                 {"contexts", nlohmann::ordered_json::array()}};
  const std::string beside = absl::StrCat(storage_path, "/");
  const auto relative = [&](const std::string& path) {
    return std::string(absl::StripPrefix(path, beside));
  };
  for (const Context& context : contexts.all) {
    file["contexts"].push_back({{"name", context.name},
                                {"address", context.address},
                                {"ca", relative(context.ca_file)},
                                {"cert", relative(context.cert_file)},
                                {"key", relative(context.key_file)}});
  }
  DM_RETURN_IF_ERROR(common::EnsureDir(storage_path, 0700));
  return common::WriteFileAtomically(FilePath(storage_path), file.dump(2) + "\n", 0600);
}

absl::StatusOr<std::optional<Context>> CurrentContext(absl::string_view storage_path) {
  DM_ASSIGN_OR_RETURN(const Contexts contexts, ReadContexts(storage_path));
  if (contexts.current.empty()) return std::nullopt;
  if (const Context* const context = contexts.Find(contexts.current)) return *context;
  return absl::DataLossError(absl::StrCat(FilePath(storage_path), " has no context \"",
                                          contexts.current,
                                          "\", which it says is the current one: choose another "
                                          "with docker-machine server use"));
}

absl::StatusOr<Context> NamedContext(absl::string_view storage_path, absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const Contexts contexts, ReadContexts(storage_path));
  if (const Context* const context = contexts.Find(name)) return *context;
  return absl::NotFoundError(absl::StrCat("there is no server \"", name,
                                          "\": docker-machine server ls shows those that "
                                          "are known; docker-machine server add ",
                                          name, " --address HOST:PORT adds it"));
}

std::string CredentialFolder(absl::string_view storage_path, absl::string_view name) {
  return absl::StrCat(storage_path, "/contexts/", name);
}

absl::Status CheckAddress(absl::string_view address) {
  const absl::string_view whole = address;
  if (absl::StartsWith(address, "unix:/")) return absl::OkStatus();
  if (absl::StartsWith(address, "unix:")) {
    return absl::InvalidArgumentError(
        absl::StrCat("orchestrator address \"", whole, "\": the path after unix: begins with /"));
  }
  if (!absl::ConsumePrefix(&address, "insecure://")) absl::ConsumePrefix(&address, "tcp://");
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos || colon == 0 || colon + 1 == address.size() ||
      absl::StrContains(address, '/')) {
    return absl::InvalidArgumentError(
        absl::StrCat("orchestrator address \"", whole, "\" is not HOST:PORT or unix:PATH"));
  }
  return absl::OkStatus();
}

absl::StatusOr<common::Channel> Dial(const Context& context) {
  absl::string_view address = context.address;
  DM_RETURN_IF_ERROR(CheckAddress(address));
  if (absl::StartsWith(address, "unix:")) return common::Channel::Local(address, /*cookie=*/"");
  if (absl::ConsumePrefix(&address, "insecure://")) {
    return common::Channel::InsecureLoopback(address);
  }
  absl::ConsumePrefix(&address, "tcp://");
  common::ChannelTls tls;
  DM_ASSIGN_OR_RETURN(tls.ca_pem,
                      ReadCredential(context, context.ca_file, "CA certificate", "--tls-ca-cert"));
  DM_ASSIGN_OR_RETURN(
      tls.client_cert_pem,
      ReadCredential(context, context.cert_file, "client certificate", "--tls-client-cert"));
  DM_ASSIGN_OR_RETURN(tls.client_key_pem,
                      ReadCredential(context, context.key_file, "client key", "--tls-client-key"));
  return common::Channel::Tls(address, tls);
}

}  // namespace machine::cli
