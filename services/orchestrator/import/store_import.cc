#include "services/orchestrator/import/store_import.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/certificates.h"
#include "services/common/crypto/keys.h"
#include "services/common/crypto/random.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/admission.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/import/driver_wait.h"
#include "services/orchestrator/import/legacy_drivers.h"

namespace machine::orchestrator {
namespace {

using machine::v1::ImportedEntry;

constexpr absl::Duration kDriverTimeout = absl::Seconds(10);
constexpr int kEnginePort = 2376;
constexpr int kSshPort = 22;
// A state in the original's own words: `Driver` of config.json.
constexpr int kLegacyStateVersion = 0;

std::string UrlOf(absl::string_view host, int64_t port) {
  const bool v6 = host.find(':') != absl::string_view::npos;
  return absl::StrCat("tcp://", v6 ? "[" : "", host, v6 ? "]" : "", ":", port);
}

bool IsPlainEngine(absl::string_view driver) { return driver == "none"; }

std::string AddressOf(const LegacyDriver* driver, const nlohmann::ordered_json& fields) {
  if (driver == nullptr) return LegacyText(fields, "IPAddress");
  for (const char* wish : {"UsePrivateIP", "PrivateIPOnly"}) {
    const nlohmann::ordered_json* const asked = FindLegacyField(fields, wish);
    if (asked == nullptr || *asked != true) continue;
    const std::string address = LegacyText(fields, "PrivateIPAddress");
    if (!address.empty()) return address;
  }
  return LegacyText(fields, driver->ip_field);
}

machine::v1::Endpoint EndpointOf(const LegacyDriver* driver, const LegacyEntry& legacy) {
  machine::v1::Endpoint endpoint;
  const std::string address = AddressOf(driver, legacy.fields);
  if (IsPlainEngine(legacy.driver)) {
    endpoint.set_docker_url(LegacyText(legacy.fields, "URL"));
    endpoint.set_docker_plaintext(true);
    absl::string_view host = endpoint.docker_url();
    absl::ConsumePrefix(&host, "tcp://");
    host = host.substr(0, host.rfind(':'));
    if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
    if (!host.empty()) endpoint.add_ip_addresses(std::string(host));
    return endpoint;
  }
  if (!address.empty()) {
    endpoint.add_ip_addresses(address);
    int64_t port = driver == nullptr || driver->port_field.empty()
                       ? 0
                       : LegacyInt(legacy.fields, driver->port_field);
    endpoint.set_docker_url(UrlOf(address, port > 0 && port < 65536 ? port : kEnginePort));
  }
  endpoint.set_ssh_host(driver != nullptr && driver->ssh_on_loopback ? "127.0.0.1" : address);
  const int64_t ssh_port = LegacyInt(legacy.fields, "SSHPort");
  endpoint.set_ssh_port(ssh_port > 0 && ssh_port < 65536 ? static_cast<int>(ssh_port) : kSshPort);
  endpoint.set_ssh_user(LegacyText(legacy.fields, "SSHUser"));
  if (endpoint.ssh_user().empty()) {
    endpoint.set_ssh_user(driver == nullptr ? "root" : std::string(driver->ssh_user));
  }
  return endpoint;
}

void WarnOfEnd(absl::string_view what, absl::string_view pem, absl::Time now,
               absl::string_view cure, std::vector<std::string>& warnings) {
  if (pem.empty()) return;
  const absl::StatusOr<common::CertInfo> info = common::CertInfo::Parse(pem);
  if (!info.ok()) {
    warnings.push_back(absl::StrCat(what, " cannot be read; ", cure));
  } else if (info->not_after <= now) {
    warnings.push_back(absl::StrCat(
        what, " has ended on ", absl::FormatTime("%Y-%m-%d", info->not_after, absl::UTCTimeZone()),
        "; ", cure));
  }
}

void CheckCertificates(const LegacyFiles& files, const std::string& name, absl::Time now,
                       std::vector<std::string>& warnings) {
  const std::string cure = absl::StrCat("run docker-machine regenerate-certs ", name);
  if (!files.tls.complete()) {
    warnings.push_back(absl::StrCat("the certificates of its clients are missing; ", cure));
    return;
  }
  WarnOfEnd("the certificate of its authority", files.tls.ca_pem, now, cure, warnings);
  WarnOfEnd("the certificate of its clients", files.tls.cert_pem, now, cure, warnings);
  WarnOfEnd("the certificate of its engine", files.server_cert_pem, now, cure, warnings);
  if (!common::VerifySignedBy(files.tls.cert_pem, files.tls.ca_pem).ok()) {
    warnings.push_back(
        absl::StrCat("the certificate of its clients is not of its authority; ", cure));
  }
}

// The names in the engine's certificate; the machine's own are counted in where it covers the
// address, so that a start does not move a machine to our authority without need.
void NoteCertifiedNames(absl::string_view server_cert_pem, MachineRecord& record) {
  const absl::StatusOr<common::CertInfo> info = common::CertInfo::Parse(server_cert_pem);
  if (!info.ok()) return;
  record.mutable_machine()->mutable_auth()->mutable_server_cert_expire_time()->set_seconds(
      absl::ToUnixSeconds(info->not_after));
  const auto& endpoint = record.machine().endpoint();
  const bool covered = endpoint.ip_addresses().empty() ||
                       std::find(info->ip_addresses.begin(), info->ip_addresses.end(),
                                 endpoint.ip_addresses(0)) != info->ip_addresses.end();
  std::vector<std::string> names = covered ? NamesToCertify(record) : info->ip_addresses;
  record.mutable_certified_names()->Assign(names.begin(), names.end());
}

void DropRetiredStorage(machine::v1::EngineOptions& engine, std::vector<std::string>& warnings) {
  for (const absl::string_view gone : {"aufs", "overlay", "devicemapper"}) {
    if (engine.storage_driver() != gone) continue;
    warnings.push_back(absl::StrCat("the storage driver ", gone,
                                    " no longer exists in new engines and is not asked for again"));
    engine.clear_storage_driver();
  }
}

}  // namespace

absl::StatusOr<machine::v1::ImportStoreResponse> StoreImporter::Import(
    const machine::v1::ImportStoreRequest& request) {
  DM_ASSIGN_OR_RETURN(const LegacyStore store, LegacyStore::Open(request.path()));
  DM_ASSIGN_OR_RETURN(const std::vector<std::string> names, store.Names());
  machine::v1::ImportStoreResponse response;
  for (const std::string& name : names) {
    ImportedEntry entry = ImportEntry(store, name, request.dry_run());
    if (entry.result() == ImportedEntry::IMPORTED) response.add_imported(name);
    if (entry.result() == ImportedEntry::QUARANTINED) {
      response.add_quarantined(absl::StrCat(entry.machine_id(), ": ", entry.reason()));
    }
    *response.add_entries() = std::move(entry);
  }
  return response;
}

ImportedEntry StoreImporter::ImportEntry(const LegacyStore& store, const std::string& name,
                                         bool dry_run) {
  ImportedEntry entry;
  // A folder may have any name; a message must be UTF-8, and goes to a terminal.
  entry.set_machine_id(CheckMachineId(name).ok() ? name : absl::CHexEscape(name));
  entry.set_result(ImportedEntry::IMPORTED);
  const absl::Status status = TryEntry(store, name, dry_run, entry);
  if (!status.ok()) {
    entry.set_result(ImportedEntry::QUARANTINED);
    entry.set_reason(std::string(status.message()));
    entry.clear_warnings();
  }
  return entry;
}

absl::Status StoreImporter::TryEntry(const LegacyStore& store, const std::string& name,
                                     bool dry_run, ImportedEntry& entry) {
  DM_RETURN_IF_ERROR(CheckMachineId(name));
  DM_ASSIGN_OR_RETURN(const std::string config, store.ReadConfig(name));
  DM_ASSIGN_OR_RETURN(const LegacyEntry legacy, ParseLegacyEntry(config));
  entry.set_driver(legacy.driver);
  entry.set_config_version(legacy.version);
  const std::string folder = store.FolderOf(name);
  DM_ASSIGN_OR_RETURN(const bool imported, IsImported(name, folder));
  if (imported) {
    entry.set_result(ImportedEntry::ALREADY_IMPORTED);
    return absl::OkStatus();
  }
  Prepared prepared = Prepare(store, name, config, legacy, entry);
  prepared.record.set_imported_from(folder);
  if (dry_run) return absl::OkStatus();
  const absl::Status committed = Commit(prepared);
  if (!absl::IsAlreadyExists(committed)) return committed;
  // Another import was faster, perhaps of the same store.
  DM_ASSIGN_OR_RETURN(const bool meanwhile, IsImported(name, folder));
  if (!meanwhile) return committed;
  entry.set_result(ImportedEntry::ALREADY_IMPORTED);
  return absl::OkStatus();
}

absl::StatusOr<bool> StoreImporter::IsImported(const std::string& name, const std::string& folder) {
  std::optional<MachineRecord> known;
  DM_RETURN_IF_ERROR(parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(known, reader.FindMachineByName(name));
    return absl::OkStatus();
  }));
  if (!known.has_value()) return false;
  if (known->imported_from() == folder) return true;
  return common::Error(absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_MACHINE_EXISTS,
                       "there is a machine of this name already; remove it, or rename the folder");
}

StoreImporter::Prepared StoreImporter::Prepare(const LegacyStore& store, const std::string& name,
                                               const std::string& config, const LegacyEntry& legacy,
                                               ImportedEntry& entry) {
  const LegacyDriver* const driver = FindLegacyDriver(legacy.driver);
  std::vector<std::string> warnings;
  Prepared prepared;
  MachineRecord& record = prepared.record;
  machine::v1::Machine& machine = *record.mutable_machine();
  machine.set_name(absl::StrCat("machines/", name));
  machine.set_uid(common::NewUuid());
  machine.set_driver(driver == nullptr ? legacy.driver : std::string(driver->ours));
  *machine.mutable_engine() = legacy.engine;
  DropRetiredStorage(*machine.mutable_engine(), warnings);
  if (legacy.swarm.is_swarm()) *machine.mutable_swarm() = legacy.swarm;
  *machine.mutable_auth() = legacy.auth;
  *machine.mutable_endpoint() = EndpointOf(driver, legacy);
  machine.mutable_create_time()->set_seconds(absl::ToUnixSeconds(parts_.clock.Now()));
  record.set_create_begun(true);
  record.set_provisioned(true);
  record.set_complete(true);

  PrepareWithDriver(legacy, prepared, warnings);
  prepared.secrets.emplace_back(kImportedConfigSecret, config);
  if (!IsPlainEngine(legacy.driver)) {
    LegacyFiles files = store.ReadFiles(name, legacy.paths);
    if (!common::KeyMatchesCert(files.tls.ca_key_pem, files.tls.ca_pem).ok()) {
      files.tls.ca_key_pem.clear();  // Of another authority.
    }
    CheckCertificates(files, name, parts_.clock.Now(), warnings);
    if (files.tls.complete()) {
      record.set_imported_tls(true);
      prepared.secrets.emplace_back(kImportedTlsSecret, files.tls.ToText());
    }
    if (!files.server_cert_pem.empty() && !files.server_key_pem.empty()) {
      NoteCertifiedNames(files.server_cert_pem, record);
      prepared.secrets.emplace_back(kServerCertSecret, files.server_cert_pem);
      prepared.secrets.emplace_back(kServerKeySecret, files.server_key_pem);
    }
    const absl::StatusOr<std::string> public_key =
        common::SshPublicKey(files.ssh_private_key, name);
    if (public_key.ok()) {
      record.set_ssh_public_key(*public_key);
      record.set_ssh_key_label("the machine's imported key");
      prepared.secrets.emplace_back(kSshKeySecret, files.ssh_private_key);
    } else {
      warnings.push_back(
          files.ssh_private_key.empty()
              ? "its ssh key is missing; ssh will not work"
              : absl::StrCat("its ssh key cannot be used: ", public_key.status().message()));
    }
  }
  for (const auto& [option, value] : SplitSecrets(machine)) {
    prepared.secrets.emplace_back(option, value);
  }
  for (std::string& warning : warnings) entry.add_warnings(std::move(warning));
  return prepared;
}

void StoreImporter::PrepareWithDriver(const LegacyEntry& legacy, Prepared& prepared,
                                      std::vector<std::string>& warnings) {
  MachineRecord& record = prepared.record;
  machine::v1::Machine& machine = *record.mutable_machine();
  const LegacyDriver* const known = FindLegacyDriver(legacy.driver);
  const absl::StatusOr<std::shared_ptr<DriverConnection>> driver =
      WaitForDriver(parts_, machine.driver());
  absl::Span<const machine::v1::FlagSpec> flags;
  if (driver.ok()) {
    flags = (*driver)->flags();
    record.mutable_capabilities()->CopyFrom((*driver)->handshake().capabilities());
    machine.set_driver_version((*driver)->handshake().driver_version());
  } else {
    // What it can do is known once it is there; until then a verb says that there is no driver.
    for (const auto capability : {::driver::v1::CAPABILITY_POWER, ::driver::v1::CAPABILITY_KILL,
                                  ::driver::v1::CAPABILITY_RESTART}) {
      record.add_capabilities(capability);
    }
    warnings.push_back(absl::StrCat(driver.status().message(),
                                    "; env, config and ssh work, all else once it is installed"));
  }
  if (known != nullptr) {
    for (machine::v1::OptionValue& option :
         OptionsOfLegacy(*known, legacy.fields, flags, warnings)) {
      *machine.add_driver_options() = std::move(option);
    }
    if (driver.ok()) NormalizeOptions(**driver, machine, warnings);
  }
  // Whatever the driver will want to know of its machine is in here; see UpgradeState.
  record.set_driver_state_version(kLegacyStateVersion);
  prepared.secrets.emplace_back(
      kDriverStateSecret,
      legacy.fields.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void StoreImporter::NormalizeOptions(DriverConnection& driver, machine::v1::Machine& machine,
                                     std::vector<std::string>& warnings) {
  ::driver::v1::ValidateOptionsRequest request;
  *request.mutable_options() = machine.driver_options();
  *request.mutable_swarm() = machine.swarm();
  ::driver::v1::ValidateOptionsResponse response;
  grpc::ClientContext context;
  driver.channel().Prepare(context, kDriverTimeout);
  const absl::Status status =
      common::FromGrpcStatus(driver.stub().ValidateOptions(&context, request, &response));
  if (status.ok()) {
    *machine.mutable_driver_options() = std::move(*response.mutable_normalized_options());
  } else {
    warnings.push_back(
        absl::StrCat("the ", machine.driver(),
                     " driver would not make such a machine today: ", status.message()));
  }
}

absl::Status StoreImporter::Commit(Prepared& prepared) {
  MachineRecord& record = prepared.record;
  const std::string& uid = record.machine().uid();
  std::vector<std::pair<std::string, std::string>> sealed;
  for (const auto& [name, value] : prepared.secrets) {
    DM_ASSIGN_OR_RETURN(std::string text, parts_.vault.Seal(uid, name, value));
    if (name == kDriverStateSecret) {
      record.set_driver_state_sealed(std::move(text));
    } else {
      sealed.emplace_back(name, std::move(text));
    }
  }
  parts_.failpoints.Pass("import", "machine", "before_effect");
  DM_RETURN_IF_ERROR(parts_.store.WriteAndWait([&](StoreTransaction& transaction) -> absl::Status {
    DM_RETURN_IF_ERROR(transaction.InsertMachine(record));
    for (const auto& [name, text] : sealed) {
      DM_RETURN_IF_ERROR(transaction.PutSecret(uid, name, text));
    }
    return absl::OkStatus();
  }));
  parts_.failpoints.Pass("import", "machine", "after_commit");
  // For programs that read it; should this fail, the next operation on the machine repeats it. The
  // folder that it came from is what they read already.
  const absl::string_view id = MachineId(record.machine().name());
  if (parts_.folder != nullptr && !parts_.folder->ForeignFolderExists(id)) {
    SyncFolder(parts_, record).IgnoreError();
  }
  return absl::OkStatus();
}

}  // namespace machine::orchestrator
