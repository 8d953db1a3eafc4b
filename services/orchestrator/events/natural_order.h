// "dev2" before "dev10".
#ifndef SERVICES_ORCHESTRATOR_EVENTS_NATURAL_ORDER_H_
#define SERVICES_ORCHESTRATOR_EVENTS_NATURAL_ORDER_H_

#include <string>

#include "absl/strings/string_view.h"

namespace machine::orchestrator {

/// A key whose byte order is the natural order of `name`: letters without regard to case, runs of
/// digits by their value. Different names have different keys.
std::string NaturalKey(absl::string_view name);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_EVENTS_NATURAL_ORDER_H_
