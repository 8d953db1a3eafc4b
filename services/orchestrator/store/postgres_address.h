// Where a PostgreSQL database is, and how to log in to it.
#ifndef SERVICES_ORCHESTRATOR_STORE_POSTGRES_ADDRESS_H_
#define SERVICES_ORCHESTRATOR_STORE_POSTGRES_ADDRESS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::orchestrator {

/// From a URL as libpq reads it (PostgreSQL 15, chapter 34.1.1.2):
/// postgres://[USER@][HOST][:PORT][/DATABASE][?PARAMETER=VALUE[&…]]
///
/// What it does not say comes from the variables PGHOST, PGPASSFILE … as for every client of
/// PostgreSQL. The server's certificate is verified where the URL and PGSSLMODE say nothing else
/// and the host is not this one.
class PostgresAddress {
 public:
  /// INVALID_ARGUMENT, never with a password in the message, when `url` is none.
  static absl::StatusOr<PostgresAddress> Parse(absl::string_view url);
  /// Whether `text` is meant as such a URL.
  static bool IsUrl(absl::string_view text);

  bool has_password() const { return parameters_.count("password") != 0; }
  /// "postgres://USER@HOST:PORT/DATABASE", for messages.
  const std::string& printable() const { return printable_; }
  /// Parameters of libpq; the password is among them.
  const std::map<std::string, std::string>& parameters() const { return parameters_; }
  void set_password(std::string password) { parameters_["password"] = std::move(password); }

 private:
  PostgresAddress() = default;

  std::map<std::string, std::string> parameters_;
  std::string printable_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_POSTGRES_ADDRESS_H_
