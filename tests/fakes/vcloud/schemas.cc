#include "tests/fakes/vcloud/schemas.h"

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/process/run.h"

namespace machine::fakes {
namespace {

constexpr char kXmllint[] = "/usr/bin/xmllint";

std::optional<std::string> Folder() {
  const char* const specs = std::getenv("MACHINE_SPECS_DIR");
  if (specs == nullptr || access(kXmllint, X_OK) != 0) return std::nullopt;
  const std::string folder = absl::StrCat(specs, "/vmwarevcloudair/xsd");
  if (access(absl::StrCat(folder, "/catalog.xml").c_str(), R_OK) != 0) return std::nullopt;
  return folder;
}

}  // namespace

bool HasVcloudSchemas() { return Folder().has_value(); }

absl::Status FitsVcloudSchemas(const std::string& body) {
  const std::optional<std::string> folder = Folder();
  if (!folder.has_value()) return absl::OkStatus();
  common::RunOptions options;
  options.stdin_data = body;
  options.env =
      std::vector<std::string>{absl::StrCat("XML_CATALOG_FILES=", *folder, "/catalog.xml")};
  const absl::StatusOr<common::RunResult> result =
      common::RunProgram({kXmllint, "--nonet", "--noout", "--schema",
                          absl::StrCat(*folder, "/1.5/schemas/vcloud/vcloud.xsd"), "-"},
                         options);
  if (!result.ok()) return result.status();
  if (result->ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(result->stderr_data, "\n", body));
}

}  // namespace machine::fakes
