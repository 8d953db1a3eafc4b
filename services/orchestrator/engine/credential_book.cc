#include "services/orchestrator/engine/credential_book.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/notification.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/admission.h"
#include "services/orchestrator/secrets/secret_vault.h"

namespace machine::orchestrator {
namespace {

using machine::v1::Credential;
using machine::v1::FlagSpec;
using machine::v1::OptionValue;

constexpr absl::string_view kPrefix = "credentials/";
constexpr size_t kDefaultPage = 1000;
constexpr int kAllTombstones = 100'000;

absl::Status CheckCredentialId(absl::string_view id) {
  if (CheckMachineId(id).ok()) return absl::OkStatus();
  return common::InvalidField(
      "credential_id",
      "the name of a credential has the characters 0-9a-zA-Z . - and begins with a "
      "letter or a digit");
}

bool HasTypeOf(const OptionValue& value, const FlagSpec& spec) {
  switch (spec.type()) {
    case FlagSpec::STRING:
      return spec.secret() ? value.has_secret_value() : value.has_string_value();
    case FlagSpec::INT:
      return value.has_int_value();
    case FlagSpec::BOOL:
      return value.has_bool_value();
    case FlagSpec::STRING_LIST:
      return value.has_list_value();
    default:
      return false;
  }
}

absl::Status CheckOption(const std::string& driver, absl::Span<const FlagSpec> flags,
                         const OptionValue& option) {
  const auto spec = std::find_if(flags.begin(), flags.end(), [&](const FlagSpec& flag) {
    return flag.name() == option.name();
  });
  if (spec == flags.end()) {
    return common::InvalidField(option.name(),
                                absl::StrCat(driver, " driver has no option --", option.name()),
                                machine::v1::ERROR_REASON_UNKNOWN_DRIVER_OPTION);
  }
  if (HasTypeOf(option, *spec)) return absl::OkStatus();
  return common::InvalidField(option.name(),
                              absl::StrCat("the value of --", option.name(), " has another type"),
                              machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE);
}

void SetNow(google::protobuf::Timestamp& timestamp, const common::Clock& clock) {
  timestamp.set_seconds(absl::ToUnixSeconds(clock.Now()));
}

// OK when no machine and no unfinished removal needs it.
absl::Status CheckUnused(StoreReader& reader, absl::string_view name) {
  std::string user;
  DM_RETURN_IF_ERROR(reader.ForEachMachine(
      [&](const MachineRecord& record) {
        if (record.machine().credential() == name) user = record.machine().name();
      },
      nullptr));
  DM_ASSIGN_OR_RETURN(const auto tombstones,
                      reader.ListTombstones(absl::InfiniteFuture(), kAllTombstones));
  for (const TombstoneRecord& tombstone : tombstones) {
    const machine::v1::Machine& machine = tombstone.machine().machine();
    if (machine.credential() == name) user = machine.name();
  }
  if (user.empty()) return absl::OkStatus();
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_CREDENTIAL_IN_USE,
                       absl::StrCat("Credential \"", absl::StripPrefix(name, kPrefix),
                                    "\" is in use, for example by ", MachineId(user)),
                       {{"machine", user}});
}

}  // namespace

absl::StatusOr<CredentialBook::Sealed> CredentialBook::Check(
    const std::string& credential, const std::string& driver,
    const google::protobuf::RepeatedPtrField<OptionValue>& options) const {
  if (options.empty()) {
    return common::InvalidField("options", "a credential needs the value of at least one option");
  }
  absl::StatusOr<std::shared_ptr<DriverConnection>> connection;
  absl::Notification connected;
  parts_.drivers.GetDriver(driver, [&](absl::StatusOr<std::shared_ptr<DriverConnection>> got) {
    connection = std::move(got);
    connected.Notify();
  });
  connected.WaitForNotification();
  DM_RETURN_IF_ERROR(connection.status());
  Sealed sealed;
  std::set<std::string> names;
  for (const OptionValue& option : options) {
    DM_RETURN_IF_ERROR(CheckOption(driver, (*connection)->flags(), option));
    if (!names.insert(option.name()).second) {
      return common::InvalidField("options", absl::StrCat("--", option.name(), " is given twice"));
    }
    const common::SecretString plain(option.SerializeAsString());
    DM_ASSIGN_OR_RETURN(std::string value,
                        parts_.vault.Seal(credential, option.name(), plain.view()));
    sealed.emplace_back(option.name(), std::move(value));
  }
  return sealed;
}

absl::StatusOr<Credential> CredentialBook::Create(
    const machine::v1::CreateCredentialRequest& request) {
  DM_RETURN_IF_ERROR(CheckCredentialId(request.credential_id()));
  if (request.driver().empty()) {
    return common::InvalidField("driver", "a credential is for one driver, which is to be named");
  }
  CredentialRecord record;
  Credential& credential = *record.mutable_credential();
  credential.set_name(absl::StrCat(kPrefix, request.credential_id()));
  credential.set_driver(request.driver());
  credential.set_version(1);
  SetNow(*credential.mutable_create_time(), parts_.clock);
  DM_ASSIGN_OR_RETURN(const Sealed sealed,
                      Check(credential.name(), request.driver(), request.options()));
  for (const auto& [name, value] : sealed) credential.add_option_names(name);
  std::sort(credential.mutable_option_names()->begin(), credential.mutable_option_names()->end());
  DM_RETURN_IF_ERROR(parts_.store.WriteAndWait([&](StoreTransaction& transaction) -> absl::Status {
    DM_ASSIGN_OR_RETURN(const auto existing, transaction.FindCredential(credential.name()));
    if (existing.has_value()) {
      return common::Error(
          absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_CREDENTIAL_EXISTS,
          absl::StrCat("Credential \"", request.credential_id(), "\" already exists"),
          {{"credential", credential.name()}});
    }
    DM_RETURN_IF_ERROR(transaction.PutCredential(record));
    for (const auto& [name, value] : sealed) {
      DM_RETURN_IF_ERROR(transaction.PutSecret(credential.name(), name, value));
    }
    return absl::OkStatus();
  }));
  return credential;
}

absl::StatusOr<Credential> CredentialBook::Rotate(
    const machine::v1::RotateCredentialRequest& request) {
  std::optional<CredentialRecord> record;
  DM_RETURN_IF_ERROR(parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(record, reader.FindCredential(request.name()));
    return absl::OkStatus();
  }));
  if (!record.has_value()) return CredentialNotFound(request.name());
  DM_ASSIGN_OR_RETURN(const Sealed sealed,
                      Check(request.name(), record->credential().driver(), request.options()));
  Credential rotated;
  DM_RETURN_IF_ERROR(parts_.store.WriteAndWait([&](StoreTransaction& transaction) -> absl::Status {
    // As it is now: somebody else may have rotated it meanwhile.
    DM_ASSIGN_OR_RETURN(auto current, transaction.FindCredential(request.name()));
    if (!current.has_value()) return CredentialNotFound(request.name());
    if (current->credential().driver() != record->credential().driver()) {
      return common::Error(absl::StatusCode::kAborted, machine::v1::ERROR_REASON_ETAG_MISMATCH,
                           "the credential was made anew for another driver meanwhile");
    }
    Credential& credential = *current->mutable_credential();
    std::set<std::string> names(credential.option_names().begin(), credential.option_names().end());
    for (const auto& [name, value] : sealed) {
      names.insert(name);
      DM_RETURN_IF_ERROR(transaction.PutSecret(credential.name(), name, value));
    }
    credential.mutable_option_names()->Assign(names.begin(), names.end());
    credential.set_version(credential.version() + 1);
    SetNow(*credential.mutable_rotate_time(), parts_.clock);
    rotated = credential;
    return transaction.PutCredential(*current);
  }));
  return rotated;
}

absl::StatusOr<machine::v1::ListCredentialsResponse> CredentialBook::List(
    const machine::v1::ListCredentialsRequest& request) const {
  if (request.page_size() < 0) return common::InvalidField("page_size", "must not be negative");
  const size_t size =
      request.page_size() == 0 ? kDefaultPage : static_cast<size_t>(request.page_size());
  std::vector<CredentialRecord> records;
  DM_RETURN_IF_ERROR(parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(records, reader.ListCredentials());
    return absl::OkStatus();
  }));
  std::map<std::string, int> users;
  for (const MachinePointer& machine : index_.All()) {
    if (!machine->machine.credential().empty()) ++users[machine->machine.credential()];
  }
  machine::v1::ListCredentialsResponse response;
  for (CredentialRecord& record : records) {
    Credential& credential = *record.mutable_credential();
    // The token is the last name given; the list is in order of names.
    if (!request.page_token().empty() && credential.name() <= request.page_token()) continue;
    if (static_cast<size_t>(response.credentials_size()) == size) {
      response.set_next_page_token(response.credentials().rbegin()->name());
      break;
    }
    credential.set_machine_count(users[credential.name()]);
    *response.add_credentials() = std::move(credential);
  }
  return response;
}

absl::Status CredentialBook::Delete(absl::string_view name) {
  return parts_.store.WriteAndWait([&](StoreTransaction& transaction) -> absl::Status {
    DM_ASSIGN_OR_RETURN(const auto record, transaction.FindCredential(name));
    if (!record.has_value()) return CredentialNotFound(name);
    DM_RETURN_IF_ERROR(CheckUnused(transaction, name));
    return transaction.DeleteCredential(name);
  });
}

}  // namespace machine::orchestrator
