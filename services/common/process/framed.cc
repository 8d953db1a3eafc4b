#include "services/common/process/framed.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

#include "absl/strings/str_cat.h"
#include "services/common/process/poll_until.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr size_t kLengthBytes = 4;

std::string LengthPrefix(uint32_t length) {
  std::string prefix(kLengthBytes, '\0');
  for (size_t i = 0; i < kLengthBytes; ++i) {
    prefix[i] = static_cast<char>(length >> (8 * (kLengthBytes - 1 - i)));
  }
  return prefix;
}

uint32_t ParseLength(absl::string_view prefix) {
  uint32_t length = 0;
  for (const char byte : prefix) length = length << 8 | static_cast<uint8_t>(byte);
  return length;
}

absl::Status ReadExactly(int fd, absl::Time deadline, std::string& into) {
  size_t done = 0;
  while (done < into.size()) {
    pollfd readable = {.fd = fd, .events = POLLIN, .revents = 0};
    DM_RETURN_IF_ERROR(PollUntil({&readable, 1}, deadline));
    const ssize_t count = read(fd, into.data() + done, into.size() - done);
    if (count < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return absl::ErrnoToStatus(errno, "reading a message");
    }
    if (count == 0) {
      return done == 0 ? absl::UnavailableError("the other side closed the pipe")
                       : absl::DataLossError("the other side closed the pipe within a message");
    }
    done += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteFramed(int fd, absl::string_view bytes) {
  if (bytes.size() > std::numeric_limits<uint32_t>::max()) {
    return absl::OutOfRangeError("message too long");
  }
  const std::string framed = absl::StrCat(LengthPrefix(static_cast<uint32_t>(bytes.size())), bytes);
  absl::string_view rest = framed;
  while (!rest.empty()) {
    const ssize_t written = WriteQuietly(fd, rest);
    if (written >= 0) {
      rest.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE) {
      return absl::UnavailableError("the other side closed the pipe");
    } else if (errno != EINTR) {
      return absl::ErrnoToStatus(errno, "writing a message");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFramed(int fd, int64_t max_bytes, absl::Time deadline) {
  std::string prefix(kLengthBytes, '\0');
  DM_RETURN_IF_ERROR(ReadExactly(fd, deadline, prefix));
  const uint32_t length = ParseLength(prefix);
  if (length > max_bytes) {
    return absl::OutOfRangeError(
        absl::StrCat("message of ", length, " bytes; at most ", max_bytes, " are allowed"));
  }
  std::string message(length, '\0');
  absl::Status status = ReadExactly(fd, deadline, message);
  if (absl::IsUnavailable(status)) {
    status = absl::DataLossError("the other side closed the pipe within a message");
  }
  DM_RETURN_IF_ERROR(status);
  return message;
}

}  // namespace machine::common
