#include "services/orchestrator/secrets/secret_vault.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"
#include "services/orchestrator/secrets/secret_names.h"

namespace machine::orchestrator {
namespace {

// The length makes it impossible that two pairs give the same bytes.
std::string BoundTo(absl::string_view owner, absl::string_view name) {
  return absl::StrCat(owner.size(), ":", owner, name);
}

absl::Status LostOption(absl::string_view option, const std::string& owner) {
  return common::Error(
      absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
      absl::StrCat("the store has lost the value of option ", option, " of ", owner,
                   ": restore the store from a backup"),
      {{absl::StartsWith(owner, "credentials/") ? "credential" : "machine", owner}});
}

}  // namespace

absl::StatusOr<SecretVault> SecretVault::LoadOrCreate(const KeySource& source, Store& store) {
  std::optional<std::string> kept;
  DM_RETURN_IF_ERROR(store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(kept, reader.FindSecret(kVaultOwner, kKeyIdName));
    return absl::OkStatus();
  }));
  if (!kept.has_value()) {
    DM_ASSIGN_OR_RETURN(StoreKey fresh, NewStoreKey(source));
    const std::string record = fresh.record.ToString();
    // Of several orchestrators on a new store, the first to commit sets the key of all.
    DM_RETURN_IF_ERROR(store.WriteAndWait([&](StoreTransaction& transaction) -> absl::Status {
      DM_ASSIGN_OR_RETURN(kept, transaction.FindSecret(kVaultOwner, kKeyIdName));
      if (kept.has_value()) return absl::OkStatus();
      kept = record;
      return transaction.PutSecret(kVaultOwner, kKeyIdName, record);
    }));
    if (*kept == record) return SecretVault(std::move(fresh.key));
  }
  DM_ASSIGN_OR_RETURN(const KeyRecord record, KeyRecord::Parse(*kept));
  DM_ASSIGN_OR_RETURN(common::SealingKey key, OpenStoreKey(source, record));
  return SecretVault(std::move(key));
}

absl::StatusOr<std::string> SecretVault::Seal(absl::string_view owner, absl::string_view name,
                                              absl::string_view plaintext) const {
  return key_.Seal(plaintext, BoundTo(owner, name));
}

absl::StatusOr<common::SecretString> SecretVault::Open(absl::string_view owner,
                                                       absl::string_view name,
                                                       absl::string_view sealed) const {
  return common::Annotate(key_.Open(sealed, BoundTo(owner, name)),
                          absl::StrCat("secret ", name, " of ", owner));
}

std::vector<std::pair<std::string, std::string>> SplitSecrets(machine::v1::Machine& machine) {
  std::vector<std::pair<std::string, std::string>> secrets;
  for (machine::v1::OptionValue& option : *machine.mutable_driver_options()) {
    if (!option.has_secret_value()) continue;
    secrets.emplace_back(option.name(), std::move(*option.mutable_secret_value()));
    option.set_secret_ref(absl::StrCat("secrets/", machine.uid(), "/", option.name()));
  }
  return secrets;
}

absl::Status CredentialNotFound(absl::string_view name) {
  return common::Error(
      absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_CREDENTIAL_NOT_FOUND,
      absl::StrCat("Credential \"", absl::StripPrefix(name, "credentials/"), "\" does not exist"),
      {{"credential", std::string(name)}});
}

absl::StatusOr<std::vector<machine::v1::OptionValue>> CredentialOptions(
    StoreReader& reader, const SecretVault& vault, absl::string_view credential,
    absl::string_view driver, absl::Span<const machine::v1::OptionValue> given) {
  std::vector<machine::v1::OptionValue> options;
  if (credential.empty()) return options;
  DM_ASSIGN_OR_RETURN(const auto record, reader.FindCredential(credential));
  if (!record.has_value()) return CredentialNotFound(credential);
  if (record->credential().driver() != driver) {
    return common::InvalidField(
        "credential",
        absl::StrCat("the credential \"", absl::StripPrefix(credential, "credentials/"),
                     "\" is for the driver ", record->credential().driver(), ", not for ", driver));
  }
  for (const std::string& name : record->credential().option_names()) {
    const bool replaced = std::any_of(given.begin(), given.end(),
                                      [&](const auto& option) { return option.name() == name; });
    if (replaced) continue;
    DM_ASSIGN_OR_RETURN(const std::optional<std::string> sealed,
                        reader.FindSecret(credential, name));
    if (!sealed.has_value()) return LostOption(name, std::string(credential));
    DM_ASSIGN_OR_RETURN(const common::SecretString value, vault.Open(credential, name, *sealed));
    machine::v1::OptionValue& option = options.emplace_back();
    if (!option.ParseFromArray(value.view().data(), static_cast<int>(value.view().size()))) {
      return LostOption(name, std::string(credential));
    }
  }
  return options;
}

absl::StatusOr<std::vector<machine::v1::OptionValue>> JoinSecrets(
    StoreReader& reader, const SecretVault& vault, const machine::v1::Machine& machine) {
  std::vector<machine::v1::OptionValue> options(machine.driver_options().begin(),
                                                machine.driver_options().end());
  for (machine::v1::OptionValue& option : options) {
    if (!option.has_secret_ref()) continue;
    DM_ASSIGN_OR_RETURN(const std::optional<std::string> sealed,
                        reader.FindSecret(machine.uid(), option.name()));
    if (!sealed.has_value()) return LostOption(option.name(), machine.name());
    DM_ASSIGN_OR_RETURN(const common::SecretString value,
                        vault.Open(machine.uid(), option.name(), *sealed));
    option.set_secret_value(std::string(value.view()));
  }
  DM_ASSIGN_OR_RETURN(const auto more, CredentialOptions(reader, vault, machine.credential(),
                                                         machine.driver(), options));
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

}  // namespace machine::orchestrator
