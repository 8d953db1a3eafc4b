// Text on its way into a shell script and back from one.
#ifndef SERVICES_PROVISIONER_HOST_SHELL_TEXT_H_
#define SERVICES_PROVISIONER_HOST_SHELL_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace machine::provisioner {

/// "name='value'\n": an assignment at the head of a script.
std::string ShellVariable(absl::string_view name, absl::string_view value);

/// Text from a host for messages and protos: valid UTF-8, without control characters but for line
/// ends, and at most `max_bytes` from its end.
std::string PrintableText(absl::string_view text, size_t max_bytes = 4096);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_HOST_SHELL_TEXT_H_
