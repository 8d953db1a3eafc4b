// Certificates that came with an imported machine.
#ifndef SERVICES_ORCHESTRATOR_IMPORT_STORE_TLS_H_
#define SERVICES_ORCHESTRATOR_IMPORT_STORE_TLS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::orchestrator {

/// What clients need to use the engine of a machine. All PEM; empty where the store had none.
struct StoreTls {
  std::string ca_pem;
  std::string cert_pem;
  std::string key_pem;
  /// Of the authority, so that an export gives back what an import took.
  std::string ca_key_pem;

  bool complete() const { return !ca_pem.empty() && !cert_pem.empty() && !key_pem.empty(); }

  /// As one text, to be sealed.
  std::string ToText() const;
  /// DATA_LOSS when `text` was not made by ToText().
  static absl::StatusOr<StoreTls> FromText(absl::string_view text);
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_IMPORT_STORE_TLS_H_
