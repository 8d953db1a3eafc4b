#include "services/common/ssh/connection.h"

#include <atomic>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "services/common/ssh/call_limits.h"
#include "services/common/ssh/run_command.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

// Room for what a failing command says.
constexpr size_t kMaxErrorTextBytes = 4096;

// The callers' side of a SshChannel: every call is a command for the loop.
class LinkedSession final : public SshSession {
 public:
  LinkedSession(std::shared_ptr<SshReactor> reactor, std::shared_ptr<Link> link,
                std::shared_ptr<SshChannel> channel, std::shared_ptr<SshConnection> keep_open)
      : reactor_(std::move(reactor)),
        link_(std::move(link)),
        channel_(std::move(channel)),
        keep_open_(std::move(keep_open)) {}

  ~LinkedSession() override { Close(); }

  void Write(absl::string_view bytes) override {
    Tell([bytes = std::string(bytes)](SshChannel& channel) mutable {
      channel.Write(std::move(bytes));
    });
  }
  void SendEof() override {
    Tell([](SshChannel& channel) { channel.SendEof(); });
  }
  void Resize(int columns, int rows) override {
    Tell([columns, rows](SshChannel& channel) { channel.Resize(columns, rows); });
  }
  void Signal(absl::string_view name) override {
    Tell([name = std::string(name)](SshChannel& channel) { channel.Signal(name); });
  }
  void PauseReading() override { channel_->SetPaused(true); }
  void ResumeReading() override {
    channel_->SetPaused(false);
    Tell([](SshChannel&) {});
  }
  void Close() override {
    if (closed_.exchange(true)) return;
    channel_->Mute();
    Tell([](SshChannel& channel) { channel.Abandon(); });
  }

 private:
  template <typename Action>
  void Tell(Action action) {
    reactor_->Post([link = link_, channel = channel_, action = std::move(action)]() mutable {
      action(*channel);
      link->Wake();
    });
  }

  const std::shared_ptr<SshReactor> reactor_;
  const std::shared_ptr<Link> link_;
  const std::shared_ptr<SshChannel> channel_;
  const std::shared_ptr<SshConnection> keep_open_;
  std::atomic<bool> closed_{false};
};

// What a command that failed on a file says, as a status. The command ran with LC_ALL=C.
absl::Status FileError(const CommandResult& result, absl::string_view context) {
  const absl::string_view said = absl::StripAsciiWhitespace(result.stderr_data);
  absl::StatusCode code = absl::StatusCode::kInternal;
  // The second is how dash says it of a file that cannot be created.
  if (absl::StrContains(said, "No such file") || absl::StrContains(said, "Directory nonexistent")) {
    code = absl::StatusCode::kNotFound;
  }
  if (absl::StrContains(said, "Permission denied")) code = absl::StatusCode::kPermissionDenied;
  return Annotate(absl::Status(code, said), context);
}

}  // namespace

LinkedConnection::LinkedConnection(std::shared_ptr<SshReactor> reactor, std::shared_ptr<Link> link)
    : reactor_(std::move(reactor)), link_(std::move(link)) {}

LinkedConnection::~LinkedConnection() {
  idle_sftp_.reset();
  reactor_->Post([link = link_] { link->Close(Unreachable("the SSH connection was closed")); });
}

absl::StatusOr<std::shared_ptr<SshSession>> LinkedConnection::Open(
    ChannelSpec spec, SessionCallbacks callbacks, std::shared_ptr<SshConnection> keep_open) {
  DM_RETURN_IF_ERROR(link_->health());
  const auto channel = std::make_shared<SshChannel>(std::move(spec), std::move(callbacks));
  if (!reactor_->Post([link = link_, channel] { link->Open(channel); })) {
    return Unreachable("the SSH connections of this process have been closed");
  }
  return std::make_shared<LinkedSession>(reactor_, link_, channel, std::move(keep_open));
}

absl::StatusOr<std::shared_ptr<SshSession>> LinkedConnection::OpenExec(const ExecSpec& spec,
                                                                       SessionCallbacks callbacks) {
  ChannelSpec channel;
  channel.kind = spec.command.empty() ? ChannelSpec::Kind::kShell : ChannelSpec::Kind::kExec;
  channel.what = spec.command;
  channel.pty = spec.pty;
  channel.env = spec.env;
  return Open(std::move(channel), std::move(callbacks), shared_from_this());
}

absl::StatusOr<std::shared_ptr<SshSession>> LinkedConnection::OpenTunnel(
    absl::string_view host, int port, SessionCallbacks callbacks) {
  ChannelSpec channel;
  channel.kind = ChannelSpec::Kind::kTunnel;
  channel.what = std::string(host);
  channel.port = port;
  return Open(std::move(channel), std::move(callbacks), shared_from_this());
}

absl::StatusOr<CommandResult> LinkedConnection::Run(absl::string_view command,
                                                    CommandOptions options) {
  const OpenSession open = [&](SessionCallbacks callbacks) {
    ChannelSpec channel;
    channel.what = WithEnv(command, options.env);
    return Open(std::move(channel), std::move(callbacks), nullptr);
  };
  return RunToEnd(open, options);
}

absl::StatusOr<std::unique_ptr<SftpClient>> LinkedConnection::TakeSftp(const CallLimits& limits) {
  {
    absl::MutexLock lock(&mu_);
    if (no_sftp_) return nullptr;
    if (idle_sftp_ != nullptr) return std::move(idle_sftp_);
  }
  const OpenSession open = [this](SessionCallbacks callbacks) {
    ChannelSpec channel;
    channel.kind = ChannelSpec::Kind::kSubsystem;
    channel.what = "sftp";
    // Without a reference to this connection, which owns the idle session.
    return Open(std::move(channel), std::move(callbacks), nullptr);
  };
  auto sftp = SftpClient::Start(open, limits);
  if (!absl::IsUnimplemented(sftp.status())) return sftp;
  absl::MutexLock lock(&mu_);
  no_sftp_ = true;
  return nullptr;
}

void LinkedConnection::ReturnSftp(std::unique_ptr<SftpClient> sftp) {
  absl::MutexLock lock(&mu_);
  if (sftp->usable() && idle_sftp_ == nullptr) idle_sftp_ = std::move(sftp);
}

absl::Status LinkedConnection::Upload(absl::string_view path, mode_t mode,
                                      absl::string_view contents, const CallLimits& limits) {
  DM_ASSIGN_OR_RETURN(std::unique_ptr<SftpClient> sftp, TakeSftp(limits));
  if (sftp == nullptr) return UploadByCommand(path, mode, contents, limits);
  absl::Status status = sftp->Upload(path, mode, contents, limits);
  ReturnSftp(std::move(sftp));
  return status;
}

absl::StatusOr<std::string> LinkedConnection::Download(absl::string_view path, size_t max_bytes,
                                                       const CallLimits& limits) {
  DM_ASSIGN_OR_RETURN(std::unique_ptr<SftpClient> sftp, TakeSftp(limits));
  if (sftp == nullptr) return DownloadByCommand(path, max_bytes, limits);
  absl::StatusOr<std::string> contents = sftp->Download(path, max_bytes, limits);
  ReturnSftp(std::move(sftp));
  return contents;
}

absl::Status LinkedConnection::UploadByCommand(absl::string_view path, mode_t mode,
                                               absl::string_view contents,
                                               const CallLimits& limits) {
  CommandOptions options;
  options.stdin_data = std::string(contents);
  options.limits = limits;
  options.env = {{"LC_ALL", "C"},
                 {"target", std::string(path)},
                 {"part", TemporaryNameFor(path)},
                 {"size", absl::StrCat(contents.size())},
                 {"mode", absl::StrFormat("%o", mode)}};
  // The size is compared because a lost connection also looks like the end of the input.
  DM_ASSIGN_OR_RETURN(const CommandResult result,
                      Run("umask 077; set -C; cat >\"$part\" && set +C && "
                          "[ $(wc -c <\"$part\") -eq $size ] && chmod $mode \"$part\" && "
                          "{ [ ! -d \"$target\" ] || { echo Is a directory >&2; false; }; } && "
                          "mv -f -- \"$part\" \"$target\" || { rm -f -- \"$part\"; exit 1; }",
                          std::move(options)));
  if (result.ok()) return absl::OkStatus();
  return FileError(result, absl::StrCat("writing ", path));
}

absl::StatusOr<std::string> LinkedConnection::DownloadByCommand(absl::string_view path,
                                                                size_t max_bytes,
                                                                const CallLimits& limits) {
  CommandOptions options;
  options.limits = limits;
  options.max_output_bytes = max_bytes + kMaxErrorTextBytes;
  options.env = {{"LC_ALL", "C"}};
  DM_ASSIGN_OR_RETURN(
      CommandResult result,
      Run(absl::StrCat("head -c ", max_bytes + 1, " <", ShellQuote(path)), std::move(options)));
  const std::string context = absl::StrCat("reading ", path);
  if (!result.ok()) return FileError(result, context);
  if (result.stdout_data.size() > max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(context, ": the file has more than ", max_bytes, " bytes"));
  }
  return std::move(result.stdout_data);
}

}  // namespace machine::common
