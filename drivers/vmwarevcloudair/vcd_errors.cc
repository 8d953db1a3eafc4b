#include "drivers/vmwarevcloudair/vcd_errors.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

constexpr size_t kMaxQuotedBytes = 500;

}  // namespace

absl::Status DirectorIsDown(absl::string_view what) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("Cloud Director ", what));
}

std::string Printable(absl::string_view text) {
  std::string result(text.substr(0, kMaxQuotedBytes));
  for (char& c : result) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return result;
}

absl::Status ErrorOfCode(absl::string_view code, absl::string_view message,
                         absl::Status otherwise) {
  const std::string shown = Printable(code);
  const std::string words = absl::StrCat("Cloud Director: ", Printable(message),
                                         shown.empty() ? "" : absl::StrCat(" (", shown, ")"));
  if (code == "BUSY_ENTITY") {
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                         words);
  }
  if (code == "DUPLICATE_NAME") return absl::AlreadyExistsError(words);
  if (code == "ACCESS_TO_RESOURCE_IS_FORBIDDEN") return absl::NotFoundError(words);
  if (absl::StrContains(code, "QUOTA") || absl::StrContains(code, "INSUFFICIENT")) {
    return common::Error(absl::StatusCode::kResourceExhausted,
                         machine::v1::ERROR_REASON_PROVIDER_QUOTA, words);
  }
  return otherwise;
}

}  // namespace machine::driver::vmwarevcloudair
