#include "services/orchestrator/store/postgres_address.h"

#include <postgresql/libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace machine::orchestrator {
namespace {

// A database that is gone must be noticed long before a lease ends.
constexpr std::pair<const char*, const char*> kDefaults[] = {
    {"connect_timeout", "5"},
    {"keepalives_idle", "5"},
    {"keepalives_interval", "2"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "10000"},
    {"application_name", "machine-orchestrator"},
    {"client_encoding", "UTF8"},
    // Of several hosts, the one that is not a standby.
    {"target_session_attrs", "read-write"},
};

bool IsThisHost(absl::string_view host) {
  return host.empty() || host[0] == '/' || host[0] == '@' || host == "localhost" ||
         host == "127.0.0.1" || host == "::1";
}

}  // namespace

bool PostgresAddress::IsUrl(absl::string_view text) {
  return absl::StartsWith(text, "postgres://") || absl::StartsWith(text, "postgresql://");
}

absl::StatusOr<PostgresAddress> PostgresAddress::Parse(absl::string_view url) {
  // Its own messages are not shown: they quote the URL, maybe with a password in it.
  using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;
  const Options options(IsUrl(url) ? PQconninfoParse(std::string(url).c_str(), nullptr) : nullptr,
                        PQconninfoFree);
  if (options == nullptr) {
    return absl::InvalidArgumentError(
        "the store's URL is malformed: write postgres://USER@HOST:PORT/DATABASE, with % and two "
        "hexadecimal digits for other characters than letters and digits");
  }
  PostgresAddress address;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) address.parameters_[option->keyword] = option->val;
  }
  const auto value = [&](const char* name) {
    const auto it = address.parameters_.find(name);
    return it == address.parameters_.end() ? std::string() : it->second;
  };
  const std::string host = value("host");
  const std::string user = value("user");
  const std::string port = value("port");
  address.printable_ = absl::StrCat("postgres://", user, user.empty() ? "" : "@", host,
                                    port.empty() ? "" : ":", port, "/", value("dbname"));
  const std::vector<std::string> hosts = absl::StrSplit(host, ',');
  if (value("sslmode").empty() && std::getenv("PGSSLMODE") == nullptr &&
      !std::all_of(hosts.begin(), hosts.end(), IsThisHost)) {
    address.parameters_["sslmode"] = "verify-full";
  }
  for (const auto& [name, text] : kDefaults) address.parameters_.emplace(name, text);
  return address;
}

}  // namespace machine::orchestrator
