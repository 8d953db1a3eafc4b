#include "services/orchestrator/certs/authority_record.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {

absl::StatusOr<CertificateRecord> SealedCertificate(const SecretVault& vault,
                                                    absl::string_view name,
                                                    absl::string_view cert_pem,
                                                    absl::string_view key_pem) {
  CertificateRecord record;
  record.set_name(std::string(name));
  record.set_cert_pem(std::string(cert_pem));
  DM_ASSIGN_OR_RETURN(*record.mutable_key_sealed(), vault.Seal(kCertificateKeys, name, key_pem));
  return record;
}

absl::StatusOr<common::CertAuthority> LoadOrCreateAuthority(Store& store, const SecretVault& vault,
                                                            absl::string_view name,
                                                            absl::string_view title,
                                                            const common::Clock& clock) {
  std::optional<CertificateRecord> record;
  DM_RETURN_IF_ERROR(store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(record, reader.FindCertificate(name));
    return absl::OkStatus();
  }));
  if (!record.has_value()) {
    // The id tells the authorities of two orchestrators apart, for people and for TLS libraries.
    DM_ASSIGN_OR_RETURN(const common::CertAuthority fresh,
                        common::CertAuthority::Create(
                            absl::StrCat(title, " ", store.orchestrator_id()), kCaLifetime, clock));
    DM_ASSIGN_OR_RETURN(record,
                        SealedCertificate(vault, name, fresh.cert_pem(), fresh.key_pem().view()));
    // Of several orchestrators on one store, the first to commit makes the authority of all.
    DM_RETURN_IF_ERROR(store.WriteAndWait([&](StoreTransaction& transaction) -> absl::Status {
      DM_ASSIGN_OR_RETURN(std::optional<CertificateRecord> other,
                          transaction.FindCertificate(name));
      if (!other.has_value()) return transaction.PutCertificate(*record);
      record = std::move(other);
      return absl::OkStatus();
    }));
  }
  DM_ASSIGN_OR_RETURN(const common::SecretString key,
                      vault.Open(kCertificateKeys, name, record->key_sealed()));
  return common::CertAuthority::FromPem(record->cert_pem(), key.view(), clock);
}

}  // namespace machine::orchestrator
