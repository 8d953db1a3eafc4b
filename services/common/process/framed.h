// Messages over a pipe: 4 bytes of length, big-endian, then the message. See bootstrap.proto.
#ifndef SERVICES_COMMON_PROCESS_FRAMED_H_
#define SERVICES_COMMON_PROCESS_FRAMED_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace machine::common {

/// Writes one message to `fd`, a blocking descriptor. UNAVAILABLE when the reader is gone.
absl::Status WriteFramed(int fd, absl::string_view bytes);

/// Reads one message from `fd`. UNAVAILABLE when the writer closed it before a message began,
/// DATA_LOSS in the middle of one, OUT_OF_RANGE when it is longer than `max_bytes`,
/// DEADLINE_EXCEEDED when it is not there by `deadline`.
absl::StatusOr<std::string> ReadFramed(int fd, int64_t max_bytes,
                                       absl::Time deadline = absl::InfiniteFuture());

}  // namespace machine::common

#endif  // SERVICES_COMMON_PROCESS_FRAMED_H_
