// The data types of the SSH protocol (RFC 4251, section 5). For this folder only.
#ifndef SERVICES_COMMON_CRYPTO_SSH_WIRE_H_
#define SERVICES_COMMON_CRYPTO_SSH_WIRE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::common {

/// Four bytes, big-endian.
void PutSshUint32(std::string& out, uint32_t value);
/// The length and the bytes.
void PutSshString(std::string& out, absl::string_view value);
/// A positive number given as big-endian bytes: a zero byte is put before a high first bit.
void PutSshMpint(std::string& out, absl::string_view big_endian);

/// Takes values from the front of bytes it does not own. INVALID_ARGUMENT where they are too short.
class SshReader {
 public:
  explicit SshReader(absl::string_view bytes) : rest_(bytes) {}

  absl::StatusOr<uint32_t> Uint32();
  absl::StatusOr<absl::string_view> String();
  absl::string_view rest() const { return rest_; }

 private:
  absl::string_view rest_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_SSH_WIRE_H_
