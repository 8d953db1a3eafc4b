#include "services/orchestrator/events/natural_order.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace machine::orchestrator {

std::string NaturalKey(absl::string_view name) {
  std::string key;
  for (size_t i = 0; i < name.size();) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(name[i]))) {
      key += absl::ascii_tolower(static_cast<unsigned char>(name[i++]));
      continue;
    }
    while (i < name.size() && name[i] == '0') ++i;
    const size_t begin = i;
    while (i < name.size() && absl::ascii_isdigit(static_cast<unsigned char>(name[i]))) ++i;
    // A longer number without leading zeros is a larger one. '0' keeps digits before letters.
    key += '0';
    key += static_cast<char>(i - begin + 1);
    key.append(name.data() + begin, i - begin);
  }
  // Names that differ only in case or leading zeros still need an order of their own.
  absl::StrAppend(&key, absl::string_view("\0", 1), name);
  return key;
}

}  // namespace machine::orchestrator
