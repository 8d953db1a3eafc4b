// Names of a machine's secrets, beside those of its driver's options.
#ifndef SERVICES_ORCHESTRATOR_SECRETS_SECRET_NAMES_H_
#define SERVICES_ORCHESTRATOR_SECRETS_SECRET_NAMES_H_

namespace machine::orchestrator {

inline constexpr char kSshKeySecret[] = "ssh_private_key";
inline constexpr char kDriverStateSecret[] = "driver_state";
inline constexpr char kServerCertSecret[] = "server_cert";
inline constexpr char kServerKeySecret[] = "server_key";
/// What its create asked for, to know it again; see CreateSpecHash().
inline constexpr char kCreateSpecSecret[] = "create_spec";
/// What clients need to use the engine of a machine that was imported, as StoreTls writes it; used
/// while the record says imported_tls.
inline constexpr char kImportedTlsSecret[] = "imported_tls";
/// The config.json that a machine was imported from, to the byte.
inline constexpr char kImportedConfigSecret[] = "imported_config";

/// Where the store keeps which key it is sealed with, as KeyRecord writes it. Not sealed.
inline constexpr char kVaultOwner[] = "vault";
inline constexpr char kKeyIdName[] = "key_id";

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_SECRETS_SECRET_NAMES_H_
