// The certificates that a server shows to a client that does not know it yet.
#ifndef CLI_CONNECT_SERVER_CHAIN_H_
#define CLI_CONNECT_SERVER_CHAIN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::cli {

/// The certificate with `fingerprint` (as CertInfo has it) among those that the server at
/// "HOST:PORT" shows, as PEM. Nothing is verified and nothing sent: the caller connects again with
/// it as the authority. UNAVAILABLE when there is no TLS server; UNAUTHENTICATED
/// SERVER_NOT_TRUSTED when it shows no such certificate. Blocks for at most some seconds.
absl::StatusOr<std::string> FetchAuthority(absl::string_view address,
                                           absl::string_view fingerprint);

}  // namespace machine::cli

#endif  // CLI_CONNECT_SERVER_CHAIN_H_
