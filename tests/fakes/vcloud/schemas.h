// The published schemas of the vCloud API, where they are there.
#ifndef TESTS_FAKES_VCLOUD_SCHEMAS_H_
#define TESTS_FAKES_VCLOUD_SCHEMAS_H_

#include <string>

#include "absl/status/status.h"

namespace machine::fakes {

/// Whether MACHINE_SPECS_DIR has the schemas and xmllint is installed.
bool HasVcloudSchemas();

/// OK, or what is wrong with `body` by the schemas; OK also without them.
absl::Status FitsVcloudSchemas(const std::string& body);

}  // namespace machine::fakes

#endif  // TESTS_FAKES_VCLOUD_SCHEMAS_H_
