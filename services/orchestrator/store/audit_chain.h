// The chain of hashes over the audit log.
#ifndef SERVICES_ORCHESTRATOR_STORE_AUDIT_CHAIN_H_
#define SERVICES_ORCHESTRATOR_STORE_AUDIT_CHAIN_H_

#include <string>

#include "absl/strings/string_view.h"
#include "machine/v1/access.pb.h"

namespace machine::orchestrator {

/// The hash of `entry` after one whose hash is `previous` (empty for the first): SHA-256 over
/// `previous` and every other field, each with its length before it. 32 bytes.
std::string AuditHash(absl::string_view previous, const machine::v1::AuditEntry& entry);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_AUDIT_CHAIN_H_
