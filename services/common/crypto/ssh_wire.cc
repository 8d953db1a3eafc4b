#include "services/common/crypto/ssh_wire.h"

#include "services/common/status/status.h"

namespace machine::common {

void PutSshUint32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

void PutSshString(std::string& out, absl::string_view value) {
  PutSshUint32(out, static_cast<uint32_t>(value.size()));
  out.append(value.data(), value.size());
}

void PutSshMpint(std::string& out, absl::string_view big_endian) {
  while (!big_endian.empty() && big_endian[0] == '\0') big_endian.remove_prefix(1);
  const bool negative_looking = !big_endian.empty() && (big_endian[0] & 0x80) != 0;
  PutSshUint32(out, static_cast<uint32_t>(big_endian.size() + (negative_looking ? 1 : 0)));
  if (negative_looking) out.push_back('\0');
  out.append(big_endian.data(), big_endian.size());
}

absl::StatusOr<uint32_t> SshReader::Uint32() {
  if (rest_.size() < 4) return absl::InvalidArgumentError("the key is cut short");
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(rest_[i]);
  rest_.remove_prefix(4);
  return value;
}

absl::StatusOr<absl::string_view> SshReader::String() {
  DM_ASSIGN_OR_RETURN(const uint32_t length, Uint32());
  if (rest_.size() < length) return absl::InvalidArgumentError("the key is cut short");
  const absl::string_view value = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return value;
}

}  // namespace machine::common
