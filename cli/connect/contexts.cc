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

absl::StatusOr<std::string> ReadCredential(const std::string& path, absl::string_view what) {
  if (path.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no ", what,
                     ": an address with TLS needs --tls-ca-cert, --tls-client-cert and "
                     "--tls-client-key, or a context"));
  }
  return common::Annotate(common::ReadFile(path), what);
}

}  // namespace

absl::StatusOr<std::optional<Context>> CurrentContext(absl::string_view storage_path) {
  const std::string path = absl::StrCat(storage_path, "/contexts.json");
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  if ((info.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, " may be read by others: run chmod 600 ", path));
  }
  DM_ASSIGN_OR_RETURN(const std::string text, common::ReadFile(path));
  const json file = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!file.is_object()) return absl::DataLossError(absl::StrCat(path, " is not JSON"));
  const std::string current = TextOf(file, "current");
  if (current.empty()) return std::nullopt;
  const auto contexts = file.find("contexts");
  if (contexts != file.end() && contexts->is_array()) {
    for (const json& entry : *contexts) {
      if (!entry.is_object() || TextOf(entry, "name") != current) continue;
      return Context{.name = current,
                     .address = TextOf(entry, "address"),
                     .ca_file = FileOf(entry, "ca", storage_path),
                     .cert_file = FileOf(entry, "cert", storage_path),
                     .key_file = FileOf(entry, "key", storage_path)};
    }
  }
  return absl::DataLossError(
      absl::StrCat(path, " has no context \"", current, "\", which it says is the current one"));
}

absl::StatusOr<common::Channel> Dial(const Context& context) {
  absl::string_view address = context.address;
  if (absl::StartsWith(address, "unix:")) return common::Channel::Local(address, /*cookie=*/"");
  if (absl::ConsumePrefix(&address, "insecure://")) {
    return common::Channel::InsecureLoopback(address);
  }
  absl::ConsumePrefix(&address, "tcp://");
  if (address.empty() || !absl::StrContains(address, ':') || absl::StrContains(address, '/')) {
    return absl::InvalidArgumentError(absl::StrCat("orchestrator address \"", context.address,
                                                   "\" is not HOST:PORT or unix:PATH"));
  }
  common::ChannelTls tls;
  DM_ASSIGN_OR_RETURN(tls.ca_pem, ReadCredential(context.ca_file, "CA certificate"));
  DM_ASSIGN_OR_RETURN(tls.client_cert_pem, ReadCredential(context.cert_file, "client certificate"));
  DM_ASSIGN_OR_RETURN(tls.client_key_pem, ReadCredential(context.key_file, "client key"));
  return common::Channel::Tls(address, tls);
}

}  // namespace machine::cli
