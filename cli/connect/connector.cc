#include "cli/connect/connector.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// What TLS says is for programmers; what to do is not in it.
absl::Status WithRemedy(const absl::Status& cause) {
  const std::string text = absl::AsciiStrToLower(cause.message());
  if (absl::StrContains(text, "certificate verify failed") ||
      absl::StrContains(text, "certificate_verify_failed") ||
      absl::StrContains(text, "hostname verification") || absl::StrContains(text, "peer name")) {
    return common::Error(
        absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED,
        "its certificate is not signed by the CA that this user trusts for it, or is for another "
        "name: check the address; if the orchestrator was set up anew, join it again with "
        "docker-machine login TOKEN");
  }
  if (absl::StrContains(text, "handshake")) {
    return common::Error(
        absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_CLIENT_CREDENTIALS,
        absl::StrCat("it ended the connection (", cause.message(),
                     "), as it does with a certificate that it has not signed: join it with "
                     "docker-machine login TOKEN"));
  }
  return cause;
}

}  // namespace

absl::StatusOr<common::Channel> RemoteConnector::Reconnect(const absl::Status& cause,
                                                           absl::Duration patience) {
  // The channel connects again by itself; all there is to do is to wait.
  if (patience > absl::ZeroDuration() && channel_.WaitUntilReady(patience).ok()) return channel_;
  return common::Annotate(WithRemedy(cause),
                          absl::StrCat("cannot reach the orchestrator at ", channel_.address()));
}

}  // namespace machine::cli
