// How this user comes by a certificate of an orchestrator, and keeps one.
#ifndef CLI_CONNECT_ENROLMENT_H_
#define CLI_CONNECT_ENROLMENT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/connect/contexts.h"
#include "services/common/rpc/channel.h"

namespace machine::cli {

/// Joins the orchestrator of `context` with a join token, and puts CA, certificate and key into the
/// context's files. Nothing secret is sent before the orchestrator has shown the certificate that
/// the token names. UNAUTHENTICATED SERVER_NOT_TRUSTED when it shows another one,
/// JOIN_TOKEN_REFUSED when it does not take the token.
absl::Status JoinOrchestrator(const Context& context, absl::string_view token);

/// Puts files that were issued elsewhere into the context's. FAILED_PRECONDITION when they do not
/// belong together.
absl::Status AdoptCredentials(const Context& context, absl::string_view ca_file,
                              absl::string_view cert_file, absl::string_view key_file);

/// UNAUTHENTICATED CLIENT_CREDENTIALS, with what to do, for a certificate that has ended. One of
/// which less than a third of its life is left is renewed over `channel`; a failure of that is no
/// error as long as it is good. True when there is a new one, for new connections.
absl::StatusOr<bool> KeepCertificate(const Context& context, const common::Channel& channel);

}  // namespace machine::cli

#endif  // CLI_CONNECT_ENROLMENT_H_
