#include "drivers/hypervisor/ssh_tool_host.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {
namespace {

bool IsPlain(absl::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("-_./,:+=@").find(c) != absl::string_view::npos;
  });
}

absl::StatusOr<std::string> WindowsWord(absl::string_view word) {
  if (word.find_first_of("%\"\r\n") != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", word, "\" cannot be passed to a program on Windows"));
  }
  // Backslashes before the closing quote would quote it.
  const size_t end = word.find_last_not_of('\\');
  const size_t backslashes = word.size() - (end == absl::string_view::npos ? 0 : end + 1);
  return absl::StrCat("\"", word, std::string(backslashes, '\\'), "\"");
}

}  // namespace

absl::StatusOr<std::string> CommandLine(const std::vector<std::string>& argv, RemoteShell shell) {
  std::vector<std::string> words;
  for (const std::string& word : argv) {
    if (IsPlain(word)) {
      words.push_back(word);
    } else if (shell == RemoteShell::kPosix) {
      words.push_back(common::ShellQuote(word));
    } else {
      DM_ASSIGN_OR_RETURN(std::string quoted, WindowsWord(word));
      words.push_back(std::move(quoted));
    }
  }
  return absl::StrJoin(words, " ");
}

absl::StatusOr<common::SshTarget> ParseSshUrl(absl::string_view url) {
  const auto bad = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", url, "\" is not of the form ssh://USER@HOST[:PORT]"));
  };
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "ssh://")) return bad();
  rest = absl::StripSuffix(rest, "/");
  const size_t at = rest.rfind('@');
  if (at == absl::string_view::npos || at == 0) return bad();
  common::SshTarget target;
  target.user = std::string(rest.substr(0, at));
  absl::string_view place = rest.substr(at + 1);
  if (target.user.front() == '-' || absl::StrContains(target.user, ":")) return bad();
  absl::string_view port;
  if (absl::ConsumePrefix(&place, "[")) {  // An IPv6 address.
    const size_t close = place.find(']');
    if (close == absl::string_view::npos) return bad();
    port = place.substr(close + 1);
    place = place.substr(0, close);
    if (!port.empty() && !absl::ConsumePrefix(&port, ":")) return bad();
  } else if (const size_t colon = place.rfind(':'); colon != absl::string_view::npos) {
    port = place.substr(colon + 1);
    place = place.substr(0, colon);
    if (port.empty()) return bad();
  }
  if (place.empty() || place.front() == '-' || absl::StrContains(place, "/")) return bad();
  target.host = std::string(place);
  if (!port.empty() &&
      (!absl::SimpleAtoi(port, &target.port) || target.port < 1 || target.port > 65535)) {
    return bad();
  }
  return target;
}

SshToolHost::SshToolHost(common::SshLoop& loop, common::SshTarget target, RemoteShell shell)
    : loop_(loop),
      shell_(shell),
      name_(absl::StrCat("ssh://", target.user, "@", target.host, ":", target.port)),
      target_(std::move(target)) {}

absl::StatusOr<std::shared_ptr<common::SshConnection>> SshToolHost::Connect(
    common::CallScope& call, const common::CallLimits& limits) {
  DM_RETURN_IF_ERROR(call.Check());
  common::SshTarget target;
  {
    absl::MutexLock lock(&mu_);
    if (connection_ != nullptr && connection_->alive()) return connection_;
    target = target_;
  }
  // Without the lock: several calls may connect at once, and one of the connections is kept.
  DM_ASSIGN_OR_RETURN(std::shared_ptr<common::SshConnection> connection,
                      loop_.Connect(target, limits));
  absl::MutexLock lock(&mu_);
  if (target_.host_key_sha256.empty()) target_.host_key_sha256 = connection->host_key_sha256();
  connection_ = connection;
  return connection;
}

absl::StatusOr<ToolOutput> SshToolHost::Run(common::CallScope& call,
                                            const std::vector<std::string>& argv,
                                            const ToolInput& input) {
  const common::CallLimits limits = {
      .deadline = std::min(call.deadline(), absl::Now() + input.timeout),
      .cancelled = [&call] { return call.cancelled(); }};
  DM_ASSIGN_OR_RETURN(const std::string line, CommandLine(argv, shell_));
  DM_ASSIGN_OR_RETURN(const auto connection, Connect(call, limits));
  DM_ASSIGN_OR_RETURN(auto ran,
                      connection->Run(line, {.stdin_data = input.stdin_data, .limits = limits}));
  return ToolOutput{.exit_code = ran.exit_code,
                    .out = std::move(ran.stdout_data),
                    .err = std::move(ran.stderr_data)};
}

absl::Status SshToolHost::WriteFile(common::CallScope& call, absl::string_view path, mode_t mode,
                                    absl::string_view contents) {
  const common::CallLimits limits = {.deadline = call.deadline(),
                                     .cancelled = [&call] { return call.cancelled(); }};
  DM_ASSIGN_OR_RETURN(const auto connection, Connect(call, limits));
  return connection->Upload(path, mode, contents, limits);
}

absl::StatusOr<std::string> SshToolHost::ReadFile(common::CallScope& call, absl::string_view path,
                                                  size_t max_bytes) {
  const common::CallLimits limits = {.deadline = call.deadline(),
                                     .cancelled = [&call] { return call.cancelled(); }};
  DM_ASSIGN_OR_RETURN(const auto connection, Connect(call, limits));
  return connection->Download(path, max_bytes, limits);
}

std::string SshToolHost::host_key_sha256() const {
  absl::MutexLock lock(&mu_);
  return target_.host_key_sha256;
}

}  // namespace machine::driver::hypervisor
