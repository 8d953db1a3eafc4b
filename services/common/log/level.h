// The least severity that this process logs, where it changes while the process runs.
#ifndef SERVICES_COMMON_LOG_LEVEL_H_
#define SERVICES_COMMON_LOG_LEVEL_H_

#include "services/common/log/log.h"

namespace machine::common {

/// From now on every logger of this process drops lines below `least`, whatever it was made with.
/// Loggers are copied into every part of a process, which writes one log. Thread-safe.
void SetProcessSeverity(Severity least);

}  // namespace machine::common

#endif  // SERVICES_COMMON_LOG_LEVEL_H_
