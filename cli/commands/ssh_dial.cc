#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/commands/commands.h"
#include "cli/commands/dial.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// As ssh's own ConnectTimeout in SshConfig().
constexpr absl::Duration kTimeout = absl::Seconds(15);
// What ssh ends with when it cannot connect.
constexpr int kSshFailed = 255;

// Gives `fd` to the process at the other end of the socket `to`, with the one byte that ssh expects
// along with it (ProxyUseFdpass in ssh_config(5)).
absl::Status PassFd(int to, int fd) {
  char byte = 0;
  iovec data = {.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  ssize_t sent = 0;
  do {
    sent = sendmsg(to, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent == 1) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "passing the connection to ssh");
}

// What ssh calls as ProxyCommand to be given a connection.
class SshDialCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "ssh-dial",
            .summary = "Connect to a host and pass the connection to standard output, a socket",
            .description = "Arguments are HOST PORT.",
            .flags = {},
            .hidden = true};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    if (args.operands.size() != 2) {
      return absl::InvalidArgumentError("Error: Expected a host and a port as arguments");
    }
    const auto connection = Dial(args.operands[0], args.operands[1], kTimeout);
    if (!connection.ok()) {
      context.console.Err(absl::StrCat("ssh: connect to host ", args.operands[0], " port ",
                                       args.operands[1], ": ", connection.status().message(),
                                       "\n"));
      return kSshFailed;
    }
    DM_RETURN_IF_ERROR(PassFd(STDOUT_FILENO, connection->get()));
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeSshDialCommand() { return std::make_unique<SshDialCommand>(); }

}  // namespace machine::cli
