// vcsim, a vCenter in memory: govmomi's simulator with guests that boot, a template and a content
// library (main.go). https://github.com/vmware/govmomi/tree/main/vcsim
#ifndef TESTS_FAKES_VCSIM_VCSIM_H_
#define TESTS_FAKES_VCSIM_VCSIM_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/process/process.h"

namespace machine::fakes {

/// A running vcsim on 127.0.0.1, at a port of the system's choice; it ends with this object. It has
/// datacenter DC0 with cluster DC0_C0, host DC0_H0, pool DC0_C0_RP1, datastores LocalDS_0 and
/// LocalDS_1, networks "VM Network" and DC0_DVPG0, template ubuntu-24.04, and library "images" with
/// item "noble". Not thread-safe.
class Vcsim {
 public:
  /// Where the program is (environment MACHINE_VCSIM, set by deploy/test.sh); no value where it is
  /// not installed.
  static std::optional<std::string> Program();

  /// Starts it and waits until it listens. Errors: UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<Vcsim>> Start(
      const std::string& program, const std::vector<std::string>& arguments = {});
  ~Vcsim();

  const std::string& host() const { return host_; }
  int port() const { return port_; }
  const std::string& user() const { return user_; }
  const std::string& password() const { return password_; }
  /// The server's certificate; empty where it speaks plain http.
  const std::string& certificate_pem() const { return certificate_pem_; }

  /// Has a command of main.go carried out and returns what it said.
  std::string Tell(absl::string_view command);

 private:
  explicit Vcsim(common::Process process) : process_(std::move(process)) {}

  common::Process process_;
  std::string host_;
  int port_ = 0;
  std::string user_;
  std::string password_;
  std::string certificate_pem_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_VCSIM_VCSIM_H_
