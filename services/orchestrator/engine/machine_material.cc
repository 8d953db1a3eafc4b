#include "services/orchestrator/engine/machine_material.h"

#include <algorithm>
#include <utility>

#include "services/common/status/status.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/import/store_tls.h"

namespace machine::orchestrator {

namespace {

absl::StatusOr<std::string> OpenSecret(StoreReader& reader, const EngineParts& parts,
                                       absl::string_view uid, absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const std::optional<std::string> sealed, reader.FindSecret(uid, name));
  if (!sealed.has_value()) return "";
  DM_ASSIGN_OR_RETURN(const auto secret, parts.vault.Open(uid, name, *sealed));
  return std::string(secret.view());
}

}  // namespace

absl::StatusOr<std::string> ReadSecret(const EngineParts& parts, absl::string_view uid,
                                       absl::string_view name) {
  std::string secret;
  DM_RETURN_IF_ERROR(parts.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(secret, OpenSecret(reader, parts, uid, name));
    return absl::OkStatus();
  }));
  return secret;
}

absl::StatusOr<::driver::v1::MachineRef> BuildMachineRef(StoreReader& reader,
                                                         const EngineParts& parts,
                                                         const MachineRecord& machine,
                                                         const OperationRecord& operation) {
  const std::string& uid = machine.machine().uid();
  ::driver::v1::MachineRef ref;
  auto& context = *ref.mutable_context();
  context.set_machine_uid(uid);
  context.set_machine_name(std::string(MachineId(machine.machine().name())));
  context.set_operation(operation.name());
  context.set_attempt(operation.attempt());
  context.set_fencing_token(operation.epoch());
  context.set_orchestrator_id(parts.store.orchestrator_id());
  DM_ASSIGN_OR_RETURN(const auto options, JoinSecrets(reader, parts.vault, machine.machine()));
  ref.mutable_options()->Assign(options.begin(), options.end());
  if (!machine.driver_state_sealed().empty()) {
    DM_ASSIGN_OR_RETURN(const auto state,
                        parts.vault.Open(uid, kDriverStateSecret, machine.driver_state_sealed()));
    ref.mutable_state()->set_version(machine.driver_state_version());
    ref.mutable_state()->set_data(std::string(state.view()));
  }
  ref.set_ssh_public_key(machine.ssh_public_key());
  ref.set_ssh_agent_socket(machine.ssh_agent_socket());
  ref.set_ssh_host_key_sha256(machine.machine().endpoint().ssh_host_key_sha256());
  if (HasSsh(machine)) {
    DM_ASSIGN_OR_RETURN(*ref.mutable_ssh_private_key(),
                        OpenSecret(reader, parts, uid, kSshKeySecret));
  }
  return ref;
}

absl::StatusOr<::driver::v1::MachineRef> BuildMachineRef(const EngineParts& parts,
                                                         const MachineRecord& machine,
                                                         const OperationRecord& operation) {
  ::driver::v1::MachineRef ref;
  DM_RETURN_IF_ERROR(parts.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(ref, BuildMachineRef(reader, parts, machine, operation));
    return absl::OkStatus();
  }));
  return ref;
}

absl::StatusOr<::provisioner::v1::SshTarget> BuildSshTarget(const EngineParts& parts,
                                                            const MachineRecord& machine,
                                                            int64_t fencing_token) {
  const machine::v1::Endpoint& endpoint = machine.machine().endpoint();
  if (endpoint.ssh_host().empty()) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_MACHINE_NOT_RUNNING,
                         "the machine has no address to log in to");
  }
  ::provisioner::v1::SshTarget target;
  target.set_host(endpoint.ssh_host());
  target.set_port(endpoint.ssh_port());
  target.set_user(endpoint.ssh_user());
  target.set_host_key_sha256(endpoint.ssh_host_key_sha256());
  target.set_machine_uid(machine.machine().uid());
  target.set_fencing_token(fencing_token);
  target.set_agent_socket(machine.ssh_agent_socket());
  target.set_key_label(machine.ssh_key_label());
  DM_ASSIGN_OR_RETURN(*target.mutable_private_key(),
                      ReadSecret(parts, machine.machine().uid(), kSshKeySecret));
  return target;
}

absl::StatusOr<ClientBundle> ClientBundleOf(const EngineParts& parts,
                                            const MachineRecord& machine) {
  if (!machine.imported_tls()) return parts.certificates.OwnClientBundle();
  DM_ASSIGN_OR_RETURN(const std::string imported,
                      ReadSecret(parts, machine.machine().uid(), kImportedTlsSecret));
  DM_ASSIGN_OR_RETURN(const StoreTls tls, StoreTls::FromText(imported));
  return ClientBundle{.ca_pem = tls.ca_pem, .cert_pem = tls.cert_pem, .key_pem = tls.key_pem};
}

::provisioner::v1::TlsMaterial ToTlsMaterial(const ClientBundle& bundle) {
  ::provisioner::v1::TlsMaterial tls;
  tls.set_ca_pem(bundle.ca_pem);
  tls.set_client_cert_pem(bundle.cert_pem);
  tls.set_client_key_pem(bundle.key_pem);
  return tls;
}

std::vector<std::string> NamesToCertify(const MachineRecord& machine) {
  const machine::v1::Endpoint& endpoint = machine.machine().endpoint();
  std::vector<std::string> names(endpoint.ip_addresses().begin(), endpoint.ip_addresses().end());
  if (!endpoint.ssh_host().empty()) names.push_back(endpoint.ssh_host());
  names.emplace_back(MachineId(machine.machine().name()));
  names.emplace_back("localhost");
  names.emplace_back("127.0.0.1");
  const auto& extra = machine.machine().auth().server_cert_sans();
  names.insert(names.end(), extra.begin(), extra.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

absl::Status SyncFolder(const EngineParts& parts, const MachineRecord& machine) {
  if (parts.folder == nullptr) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const ClientBundle bundle, ClientBundleOf(parts, machine));
  DM_ASSIGN_OR_RETURN(const std::string key,
                      ReadSecret(parts, machine.machine().uid(), kSshKeySecret));
  return parts.folder->Write(machine, bundle, key);
}

absl::Status SyncAllFolders(const EngineParts& parts) {
  if (parts.folder == nullptr) return absl::OkStatus();
  std::vector<MachineRecord> machines;
  std::vector<std::string> bad_rows;  // Shown by others.
  DM_RETURN_IF_ERROR(parts.store.Read([&](StoreReader& reader) {
    return reader.ForEachMachine(
        [&](MachineRecord record) { machines.push_back(std::move(record)); }, &bad_rows);
  }));
  absl::Status status;
  for (const MachineRecord& machine : machines) {
    if (machine.create_begun()) status.Update(SyncFolder(parts, machine));
  }
  return status;
}

absl::Duration ServerCertLifetime(const machine::v1::Machine& machine) {
  const auto& auth = machine.auth();
  return auth.has_server_cert_lifetime() ? absl::Seconds(auth.server_cert_lifetime().seconds())
                                         : kServerLifetime;
}

bool HasSsh(const MachineRecord& machine) {
  const auto& capabilities = machine.capabilities();
  return std::find(capabilities.begin(), capabilities.end(), ::driver::v1::CAPABILITY_NO_SSH) ==
         capabilities.end();
}

}  // namespace machine::orchestrator
