#include "drivers/hypervisor/host_ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "absl/strings/numbers.h"
#include "services/common/crypto/digest.h"
#include "services/common/process/unique_fd.h"

namespace machine::driver::hypervisor {
namespace {

constexpr int kFirstPort = 20000;
constexpr uint64_t kTriples = 4000;

}  // namespace

bool PortIsFree(const std::string& address, int port) {
  const common::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &where.sin_addr);
  return bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)) == 0 &&
         listen(fd.get(), 1) == 0;
}

absl::StatusOr<int> ChooseThreePorts(absl::string_view uid, absl::FunctionRef<bool(int)> is_free) {
  uint64_t digest = 0;
  constexpr size_t kDigits = 15;
  absl::SimpleHexAtoi(common::Sha256Hex(uid).substr(0, kDigits), &digest);
  for (uint64_t attempt = 0; attempt < kTriples; ++attempt) {
    const int first = kFirstPort + 3 * static_cast<int>((digest + attempt) % kTriples);
    if (is_free(first) && is_free(first + 1) && is_free(first + 2)) return first;
  }
  return absl::ResourceExhaustedError("no three ports of the host are free");
}

}  // namespace machine::driver::hypervisor
