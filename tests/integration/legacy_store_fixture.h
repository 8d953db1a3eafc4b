// Stores as the original's releases left them, made from what is known of their format.
#ifndef TESTS_INTEGRATION_LEGACY_STORE_FIXTURE_H_
#define TESTS_INTEGRATION_LEGACY_STORE_FIXTURE_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace machine::tests {

/// A store with one machine for each edition and each kind of fault.
class LegacyStoreFixture {
 public:
  /// Makes the store at `root`. `port` is open on 127.0.0.1: ssh and engine of machine "gen3".
  LegacyStoreFixture(std::string root, int port);

  /// A store with nothing but certificates and keys.
  static LegacyStoreFixture WithCertificates(std::string root) {
    return LegacyStoreFixture(std::move(root));
  }

  /// Adds a machine as release 0.16 wrote it. `fields` is an object of what its driver adds to the
  /// fields that all drivers have. Returns the whole object `Driver`.
  nlohmann::json PutVersion3(const std::string& name, const std::string& driver,
                             const std::string& fields) const;

  const std::string& root() const { return root_; }
  /// Machines that can be imported, in the order of their import.
  static std::vector<std::string> GoodNames();
  /// The others.
  static std::vector<std::string> BadNames();

  const std::string& ca_pem() const { return ca_pem_; }
  const std::string& cert_pem() const { return cert_pem_; }
  const std::string& server_pem() const { return server_pem_; }
  const std::string& server_key() const { return server_key_; }
  const std::string& ssh_key() const { return ssh_key_; }
  /// Texts that must be in no file once they are imported.
  std::vector<std::string> Secrets() const;

  /// Every file below `folder` with its contents, mode and time, to see whether anything changed.
  static std::map<std::string, std::string> Snapshot(const std::string& folder);

 private:
  explicit LegacyStoreFixture(std::string root);
  void Put(const std::string& file, absl::string_view text, int mode) const;
  void MakeCertificates();
  void PutMachine(const std::string& name, const std::string& config) const;
  void PutBadMachines() const;

  const std::string root_;
  std::string ca_pem_;
  std::string ca_key_;
  std::string cert_pem_;
  std::string key_pem_;
  std::string server_pem_;
  std::string server_key_;
  std::string ssh_key_;
  std::string ssh_public_key_;
};

}  // namespace machine::tests

#endif  // TESTS_INTEGRATION_LEGACY_STORE_FIXTURE_H_
