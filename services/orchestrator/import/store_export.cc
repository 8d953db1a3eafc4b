#include "services/orchestrator/import/store_export.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/admission.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/events/natural_order.h"
#include "services/orchestrator/import/driver_wait.h"
#include "services/orchestrator/import/legacy_entry.h"

namespace machine::orchestrator {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr absl::Duration kDriverTimeout = absl::Seconds(30);
// Written where nothing was asked for: the original fetches what is there.
constexpr char kInstallUrl[] = "https://get.docker.com";
constexpr mode_t kPublicMode = 0644;
constexpr mode_t kPrivateMode = 0600;

absl::Status WriteUnlessEmpty(const std::string& path, absl::string_view contents, mode_t mode) {
  if (contents.empty()) return absl::OkStatus();
  return common::WriteFileAtomically(path, contents, mode);
}

absl::Status CheckPath(const std::string& path) {
  if (!absl::StartsWith(path, "/")) {
    return common::InvalidField("path", absl::StrCat("\"", path, "\" is not an absolute path"));
  }
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return absl::OkStatus();
  if (status.type() == fs::file_type::directory && fs::is_empty(path, error) && !error) {
    return absl::OkStatus();
  }
  return absl::AlreadyExistsError(
      absl::StrCat(path, " is no empty folder; a store is written to a new one"));
}

// What the original's driver is for ours; it had none for containers and others.
const LegacyDriver& DriverFor(const machine::v1::Machine& machine) {
  const LegacyDriver* const same = FindLegacyDriverOfOurs(machine.driver());
  if (same != nullptr) return *same;
  return *FindLegacyDriver(machine.endpoint().docker_plaintext() ? "none" : "generic");
}

void PutEndpoint(const machine::v1::Machine& machine, const LegacyDriver& driver,
                 ordered_json& fields) {
  const machine::v1::Endpoint& endpoint = machine.endpoint();
  if (!endpoint.ip_addresses().empty()) {
    fields[std::string(driver.ip_field)] = endpoint.ip_addresses(0);
  }
  if (driver.name == "none") fields["URL"] = endpoint.docker_url();
  if (!endpoint.ssh_user().empty()) fields["SSHUser"] = endpoint.ssh_user();
  if (endpoint.ssh_port() != 0) fields["SSHPort"] = endpoint.ssh_port();
  int port = 0;
  const size_t colon = endpoint.docker_url().rfind(':');
  if (!driver.port_field.empty() && colon != std::string::npos &&
      absl::SimpleAtoi(endpoint.docker_url().substr(colon + 1), &port)) {
    fields[std::string(driver.port_field)] = port;
  }
}

void PutAuth(const std::string& path, const std::string& name, ordered_json& auth) {
  const std::string folder = common::MachineFolder(path, name);
  auth["CertDir"] = path + "/certs";
  auth["CaCertPath"] = folder + "/ca.pem";
  auth["CaPrivateKeyPath"] = path + "/certs/ca-key.pem";
  auth["ServerCertPath"] = folder + "/server.pem";
  auth["ServerKeyPath"] = folder + "/server-key.pem";
  auth["ClientKeyPath"] = folder + "/key.pem";
  auth["ClientCertPath"] = folder + "/cert.pem";
  auth["StorePath"] = folder;
}

absl::Status WriteTls(const std::string& folder, const StoreTls& tls) {
  DM_RETURN_IF_ERROR(common::EnsureDir(folder, 0700));
  DM_RETURN_IF_ERROR(WriteUnlessEmpty(folder + "/ca.pem", tls.ca_pem, kPublicMode));
  DM_RETURN_IF_ERROR(WriteUnlessEmpty(folder + "/cert.pem", tls.cert_pem, kPublicMode));
  return WriteUnlessEmpty(folder + "/key.pem", tls.key_pem, kPrivateMode);
}

// What the original dials an engine with, to see whether it answers: as imported, else a new one
// with the names and the end of the engine's, which is no client's.
absl::StatusOr<ServerCertificate> ServerCertOf(const EngineParts& parts,
                                               const MachineRecord& record) {
  const std::string& uid = record.machine().uid();
  DM_ASSIGN_OR_RETURN(std::string cert, ReadSecret(parts, uid, kServerCertSecret));
  if (!record.imported_tls() && !cert.empty()) {
    DM_ASSIGN_OR_RETURN(const common::CertInfo info, common::CertInfo::Parse(cert));
    DM_ASSIGN_OR_RETURN(const common::CertAuthority ca, parts.certificates.Ca());
    const auto& names = record.certified_names();
    // Of a machine that was off for long it may have ended.
    const absl::Duration left =
        std::max(info.not_after - parts.clock.Now(), absl::Duration(absl::Minutes(1)));
    DM_ASSIGN_OR_RETURN(
        const common::IssuedCert issued,
        ca.IssueServer({names.begin(), names.end()}, left, common::ServerUse::kServerAndClient));
    return ServerCertificate{.cert_pem = issued.cert_pem,
                             .key_pem = std::string(issued.key_pem.view())};
  }
  DM_ASSIGN_OR_RETURN(std::string key, ReadSecret(parts, uid, kServerKeySecret));
  return ServerCertificate{.cert_pem = std::move(cert), .key_pem = std::move(key)};
}

}  // namespace

absl::StatusOr<machine::v1::ExportStoreResponse> StoreExporter::Export(
    const machine::v1::ExportStoreRequest& request) {
  std::string path = request.path();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  DM_RETURN_IF_ERROR(CheckPath(path));
  DM_ASSIGN_OR_RETURN(const std::vector<MachineRecord> records, Find(request));
  // Beside it, so that the last step is a rename.
  std::string partial = path + ".partial-XXXXXX";
  DM_RETURN_IF_ERROR(common::EnsureDir(fs::path(path).parent_path().string(), 0700));
  if (mkdtemp(partial.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("making a folder beside ", path));
  }
  machine::v1::ExportStoreResponse response;
  StoreTls authority;
  absl::Status status = common::EnsureDir(partial + "/machines", 0700);
  for (const MachineRecord& record : records) {
    if (!status.ok()) break;
    const std::string name(MachineId(record.machine().name()));
    const std::string folder = common::MachineFolder(partial, name);
    const absl::Status written = WriteMachine(record, folder, path, authority);
    std::error_code ignored;
    if (written.ok()) {
      response.add_exported(name);
    } else {
      fs::remove_all(folder, ignored);
      response.add_skipped(absl::StrCat(name, ": ", written.message()));
    }
  }
  if (status.ok()) status = WriteTls(partial + "/certs", authority);
  if (status.ok()) {
    status = WriteUnlessEmpty(partial + "/certs/ca-key.pem", authority.ca_key_pem, kPrivateMode);
  }
  if (status.ok() && rename(partial.c_str(), path.c_str()) != 0) {
    status = absl::ErrnoToStatus(errno, absl::StrCat("making ", path));
  }
  std::error_code ignored;
  if (!status.ok()) fs::remove_all(partial, ignored);
  DM_RETURN_IF_ERROR(status);
  parts_.log.Info("store exported", {{"machines", absl::StrCat(response.exported_size())}});
  return response;
}

absl::StatusOr<std::vector<MachineRecord>> StoreExporter::Find(
    const machine::v1::ExportStoreRequest& request) {
  std::vector<MachineRecord> records;
  DM_RETURN_IF_ERROR(parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    if (request.names().empty()) {
      std::vector<std::string> bad_rows;
      return reader.ForEachMachine(
          [&](MachineRecord record) { records.push_back(std::move(record)); }, &bad_rows);
    }
    const std::set<std::string> names(request.names().begin(), request.names().end());
    for (const std::string& name : names) {
      DM_ASSIGN_OR_RETURN(auto record, reader.FindMachineByName(MachineId(name)));
      if (!record.has_value()) return MachineNotFound(MachineId(name));
      records.push_back(*std::move(record));
    }
    return absl::OkStatus();
  }));
  std::sort(records.begin(), records.end(), [](const MachineRecord& a, const MachineRecord& b) {
    return NaturalKey(a.machine().name()) < NaturalKey(b.machine().name());
  });
  return records;
}

absl::Status StoreExporter::WriteMachine(const MachineRecord& record, const std::string& folder,
                                         const std::string& final_path, StoreTls& authority) {
  const std::string& uid = record.machine().uid();
  DM_ASSIGN_OR_RETURN(const ordered_json config, ConfigOf(record, final_path));
  DM_RETURN_IF_ERROR(common::EnsureDir(folder, 0700));
  DM_RETURN_IF_ERROR(common::WriteFileAtomically(folder + "/config.json",
                                                 common::LegacyConfigText(config), kPrivateMode));
  if (!record.machine().endpoint().docker_plaintext()) {
    DM_ASSIGN_OR_RETURN(const ClientBundle bundle, ClientBundleOf(parts_, record));
    DM_RETURN_IF_ERROR(WriteTls(folder, {.ca_pem = bundle.ca_pem,
                                         .cert_pem = bundle.cert_pem,
                                         .key_pem = bundle.key_pem,
                                         .ca_key_pem = ""}));
    DM_ASSIGN_OR_RETURN(const ServerCertificate server, ServerCertOf(parts_, record));
    DM_RETURN_IF_ERROR(WriteUnlessEmpty(folder + "/server.pem", server.cert_pem, kPublicMode));
    DM_RETURN_IF_ERROR(WriteUnlessEmpty(folder + "/server-key.pem", server.key_pem, kPrivateMode));
  }
  DM_ASSIGN_OR_RETURN(const std::string ssh_key, ReadSecret(parts_, uid, kSshKeySecret));
  if (!ssh_key.empty()) {
    DM_RETURN_IF_ERROR(common::WriteFileAtomically(folder + "/id_rsa", ssh_key, kPrivateMode));
    DM_RETURN_IF_ERROR(common::WriteFileAtomically(
        folder + "/id_rsa.pub", absl::StrCat(record.ssh_public_key(), "\n"), kPublicMode));
  }
  if (!record.imported_tls() || !authority.ca_key_pem.empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const std::string imported, ReadSecret(parts_, uid, kImportedTlsSecret));
  DM_ASSIGN_OR_RETURN(authority, StoreTls::FromText(imported));
  return absl::OkStatus();
}

absl::StatusOr<ordered_json> StoreExporter::ConfigOf(const MachineRecord& record,
                                                     const std::string& final_path) {
  const machine::v1::Machine& machine = record.machine();
  const std::string name(MachineId(machine.name()));
  DM_ASSIGN_OR_RETURN(const std::string original,
                      ReadSecret(parts_, machine.uid(), kImportedConfigSecret));
  const LegacyDriver& driver = DriverFor(machine);
  ordered_json config;
  if (original.empty()) {
    config = common::LegacyConfig(machine, final_path);
    config["DriverName"] = std::string(driver.name);
    ordered_json& engine = config["HostOptions"]["EngineOptions"];
    if (engine["InstallURL"] == "") engine["InstallURL"] = kInstallUrl;
  } else {
    DM_ASSIGN_OR_RETURN(config, ToLegacyVersion3(original));
  }
  ordered_json& fields = config["Driver"];
  fields["MachineName"] = name;
  fields["StorePath"] = final_path;
  if (!record.ssh_public_key().empty()) {
    fields["SSHKeyPath"] = common::MachineFolder(final_path, name) + "/id_rsa";
  }
  // Of a driver that neither knows there is nothing to say but what it came with.
  if (original.empty() || FindLegacyDriverOfOurs(machine.driver()) != nullptr) {
    DM_RETURN_IF_ERROR(PutDriverFields(record, driver, fields));
  }
  if (!machine.endpoint().docker_plaintext()) {
    PutAuth(final_path, name, config["HostOptions"]["AuthOptions"]);
  }
  config["Name"] = name;
  return config;
}

absl::Status StoreExporter::PutDriverFields(const MachineRecord& record, const LegacyDriver& driver,
                                            ordered_json& fields) {
  const machine::v1::Machine& machine = record.machine();
  if (driver.ours == machine.driver()) {
    std::vector<machine::v1::OptionValue> options;
    DM_RETURN_IF_ERROR(parts_.store.Read([&](StoreReader& reader) -> absl::Status {
      DM_ASSIGN_OR_RETURN(options, JoinSecrets(reader, parts_.vault, machine));
      return absl::OkStatus();
    }));
    PutLegacyOptions(driver, options, fields);
  }
  PutEndpoint(machine, driver, fields);
  if (driver.id_field.empty() || FindLegacyField(fields, driver.id_field) != nullptr) {
    return absl::OkStatus();
  }
  DM_ASSIGN_OR_RETURN(const std::string id, InstanceIdOf(record));
  int64_t number = 0;
  const std::string field(driver.id_field);
  if (driver.id_is_number && absl::SimpleAtoi(id, &number)) {
    fields[field] = number;
  } else {
    fields[field] = id;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> StoreExporter::InstanceIdOf(const MachineRecord& record) {
  DM_ASSIGN_OR_RETURN(const auto driver, WaitForDriver(parts_, record.machine().driver()));
  ::driver::v1::InspectRequest request;
  DM_ASSIGN_OR_RETURN(*request.mutable_machine(), BuildMachineRef(parts_, record, {}));
  ::driver::v1::InspectResponse response;
  grpc::ClientContext context;
  driver->channel().Prepare(context, kDriverTimeout);
  DM_RETURN_IF_ERROR(
      common::Annotate(common::FromGrpcStatus(driver->stub().Inspect(&context, request, &response)),
                       "asking for the id of its instance"));
  if (response.observation().instance_id().empty()) {
    return absl::NotFoundError("its provider knows no instance of it");
  }
  return response.observation().instance_id();
}

}  // namespace machine::orchestrator
