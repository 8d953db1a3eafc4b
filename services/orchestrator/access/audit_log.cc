#include "services/orchestrator/access/audit_log.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/audit_chain.h"

namespace machine::orchestrator {
namespace {

using machine::v1::AuditEntry;

constexpr int kDefaultPage = 100;
constexpr int kMaxPage = 1000;
constexpr int kBatch = 1000;

struct Term {
  std::string key;
  std::string value;
  bool negated = false;
};

absl::StatusOr<std::vector<Term>> ParseFilter(absl::string_view text) {
  std::vector<Term> terms;
  if (absl::StripAsciiWhitespace(text).empty()) return terms;
  for (absl::string_view part : absl::StrSplit(text, " AND ")) {
    const size_t equals = part.find('=');
    if (equals == absl::string_view::npos || equals == 0) {
      return common::InvalidField("filter", absl::StrCat("expected KEY=VALUE, not \"", part, "\""));
    }
    Term term;
    term.negated = part[equals - 1] == '!';
    term.key =
        std::string(absl::StripAsciiWhitespace(part.substr(0, term.negated ? equals - 1 : equals)));
    absl::string_view value = absl::StripAsciiWhitespace(part.substr(equals + 1));
    if (absl::ConsumePrefix(&value, "\"")) absl::ConsumeSuffix(&value, "\"");
    term.value = std::string(value);
    if (term.key != "user" && term.key != "method" && term.key != "resource" &&
        term.key != "code") {
      return common::InvalidField(
          "filter",
          absl::StrCat("unknown key \"", term.key, "\"; keys are user, method, resource and code"));
    }
    terms.push_back(std::move(term));
  }
  return terms;
}

bool Fits(const AuditEntry& entry, const std::vector<Term>& terms) {
  return std::all_of(terms.begin(), terms.end(), [&](const Term& term) {
    const std::string& value = term.key == "user"       ? entry.user()
                               : term.key == "method"   ? entry.method()
                               : term.key == "resource" ? entry.resource()
                                                        : entry.code();
    return (value == term.value) != term.negated;
  });
}

absl::Status Broken(int64_t sequence) {
  return common::Error(
      absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
      absl::StrCat("the audit log was changed: entry ", sequence,
                   " is missing or does not fit the one before it; compare with a backup"),
      {{"sequence", absl::StrCat(sequence)}});
}

}  // namespace

absl::StatusOr<machine::v1::ListAuditEntriesResponse> ListAuditEntries(
    Store& store, const machine::v1::ListAuditEntriesRequest& request) {
  if (request.page_size() < 0) {
    return common::InvalidField("page_size", "must not be negative");
  }
  const int size =
      request.page_size() == 0 ? kDefaultPage : std::min(request.page_size(), kMaxPage);
  DM_ASSIGN_OR_RETURN(const std::vector<Term> terms, ParseFilter(request.filter()));
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!request.page_token().empty() && !absl::SimpleAtoi(request.page_token(), &before)) {
    return common::InvalidField("page_token", "the token is not of an earlier answer");
  }
  machine::v1::ListAuditEntriesResponse response;
  DM_RETURN_IF_ERROR(store.Read([&](StoreReader& reader) -> absl::Status {
    for (;;) {
      DM_ASSIGN_OR_RETURN(std::vector<AuditEntry> entries, reader.ListAudit(before, kBatch));
      for (AuditEntry& entry : entries) {
        if (!Fits(entry, terms)) continue;
        if (response.entries_size() == size) {
          response.set_next_page_token(absl::StrCat(response.entries().rbegin()->sequence()));
          return absl::OkStatus();
        }
        *response.add_entries() = std::move(entry);
      }
      if (entries.size() < static_cast<size_t>(kBatch)) return absl::OkStatus();
      before = entries.back().sequence();
    }
  }));
  return response;
}

// From the newest back, as the store lists them. An entry's own hash needs the one before it, which
// comes next; the fault nearest to the beginning is the last that is met.
absl::StatusOr<machine::v1::VerifyAuditResponse> VerifyAudit(Store& store) {
  machine::v1::VerifyAuditResponse response;
  std::optional<int64_t> broken;
  DM_RETURN_IF_ERROR(store.Read([&](StoreReader& reader) -> absl::Status {
    std::optional<AuditEntry> later;
    const auto check = [&](int64_t sequence, const std::string& hash) {
      if (!later.has_value()) return;
      const bool fits =
          later->sequence() == sequence + 1 && later->hash() == AuditHash(hash, *later);
      if (!fits) broken = sequence + 1;
    };
    int64_t before = std::numeric_limits<int64_t>::max();
    for (;;) {
      DM_ASSIGN_OR_RETURN(std::vector<AuditEntry> entries, reader.ListAudit(before, kBatch));
      for (AuditEntry& entry : entries) {
        check(entry.sequence(), entry.hash());
        if (!later.has_value()) response.set_last_hash(entry.hash());
        response.set_entry_count(response.entry_count() + 1);
        before = entry.sequence();
        later = std::move(entry);
      }
      if (entries.size() < static_cast<size_t>(kBatch)) break;
    }
    check(0, "");
    return absl::OkStatus();
  }));
  if (broken.has_value()) return Broken(*broken);
  return response;
}

}  // namespace machine::orchestrator
