// Credentials: values of driver options that many machines share.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_CREDENTIAL_BOOK_H_
#define SERVICES_ORCHESTRATOR_ENGINE_CREDENTIAL_BOOK_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "machine/v1/credentials.pb.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {

/// Keeps, replaces and forgets credentials. Values are sealed, each for its credential and option,
/// and leave only with a driver's calls (CredentialOptions). Thread-safe; all of it blocks. Errors
/// are those of machine.v1.Credentials.
class CredentialBook {
 public:
  CredentialBook(const EngineParts& parts, const MachineIndex& index)
      : parts_(parts), index_(index) {}

  absl::StatusOr<machine::v1::Credential> Create(
      const machine::v1::CreateCredentialRequest& request);
  absl::StatusOr<machine::v1::Credential> Rotate(
      const machine::v1::RotateCredentialRequest& request);
  absl::StatusOr<machine::v1::ListCredentialsResponse> List(
      const machine::v1::ListCredentialsRequest& request) const;
  absl::Status Delete(absl::string_view name);

 private:
  // Option and sealed value each.
  using Sealed = std::vector<std::pair<std::string, std::string>>;

  absl::StatusOr<Sealed> Check(
      const std::string& credential, const std::string& driver,
      const google::protobuf::RepeatedPtrField<machine::v1::OptionValue>& options) const;

  const EngineParts parts_;
  const MachineIndex& index_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_CREDENTIAL_BOOK_H_
