// Private ssh keys on the client's host.
#ifndef CLI_COMMANDS_SSH_KEYS_H_
#define CLI_COMMANDS_SSH_KEYS_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "cli/args/environment.h"

namespace machine::cli {

/// Whether a key as PEM or in OpenSSH's format asks for a passphrase.
bool IsEncryptedKey(absl::string_view key);

struct DefaultKey {
  std::string path;
  std::string contents;
};

/// The first of ~/.ssh/id_ed25519, id_ecdsa and id_rsa that can be read and has no passphrase.
std::optional<DefaultKey> FindDefaultKey(const Environment& env);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_SSH_KEYS_H_
