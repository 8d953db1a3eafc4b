#include "cli/connect/target.h"

#include <unistd.h>

#include <climits>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "cli/autostart/private_connector.h"
#include "cli/connect/enrolment.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// The user's own orchestrator, whatever the current context is.
constexpr absl::string_view kPrivate = "private";

std::string OwnExecutable() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : std::string();
}

}  // namespace

TargetConnector::TargetConnector(TargetOptions options, const Environment& env, Console& console)
    : options_(std::move(options)), env_(env), console_(console) {}

absl::StatusOr<std::unique_ptr<Connector>> TargetConnector::Choose() {
  std::optional<Context> context;
  if (options_.host == kPrivate) {
    context = std::nullopt;
  } else if (!options_.host.empty() && !absl::StrContains(options_.host, ':')) {
    DM_ASSIGN_OR_RETURN(context, NamedContext(options_.storage_path, options_.host));
  } else if (!options_.host.empty()) {
    context = Context{.name = "",
                      .address = options_.host,
                      .ca_file = options_.ca_file,
                      .cert_file = options_.cert_file,
                      .key_file = options_.key_file};
  } else {
    DM_ASSIGN_OR_RETURN(context, CurrentContext(options_.storage_path));
  }
  if (context.has_value()) {
    DM_ASSIGN_OR_RETURN(common::Channel channel, Dial(*context));
    if (context->uses_tls()) {
      DM_ASSIGN_OR_RETURN(const bool renewed, KeepCertificate(*context, channel));
      if (renewed) {
        DM_ASSIGN_OR_RETURN(channel, Dial(*context));
      }
    }
    return std::make_unique<RemoteConnector>(std::move(channel));
  }
  return std::make_unique<PrivateConnector>(
      PrivateConnector::Options{.storage_path = options_.storage_path,
                                .program = FindOrchestrator(env_, OwnExecutable())},
      console_);
}

absl::StatusOr<common::Channel> TargetConnector::Connect() {
  if (chosen_ == nullptr) {
    DM_ASSIGN_OR_RETURN(chosen_, Choose());
  }
  return chosen_->Connect();
}

absl::StatusOr<common::Channel> TargetConnector::Reconnect(const absl::Status& cause,
                                                           absl::Duration patience) {
  return chosen_ == nullptr ? Connect() : chosen_->Reconnect(cause, patience);
}

}  // namespace machine::cli
