#include "services/orchestrator/store/audit_chain.h"

#include "absl/strings/str_cat.h"
#include "services/common/crypto/digest.h"

namespace machine::orchestrator {

std::string AuditHash(absl::string_view previous, const machine::v1::AuditEntry& entry) {
  std::string text;
  const std::string sequence = absl::StrCat(entry.sequence());
  const std::string time = absl::StrCat(entry.time().seconds(), ".", entry.time().nanos());
  for (const absl::string_view field :
       {previous, absl::string_view(sequence), absl::string_view(time),
        absl::string_view(entry.user()), absl::string_view(entry.method()),
        absl::string_view(entry.resource()), absl::string_view(entry.code()),
        absl::string_view(entry.peer()), absl::string_view(entry.operation())}) {
    absl::StrAppend(&text, field.size(), ":", field);
  }
  return common::Sha256(text);
}

}  // namespace machine::orchestrator
