#include "services/common/ssh/libssh_session.h"

#include <strings.h>
#include <unistd.h>

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

// One kind of host key must always be chosen for one host, because the pin is of that one.
constexpr char kHostKeyAlgorithms[] =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
    "rsa-sha2-512,rsa-sha2-256";

// libssh reads this much at a time, and one busy connection must leave time for the others.
constexpr int kMaxReadsAPump = 64;

// Called only when the key has a passphrase. Without it OpenSSL would ask on the terminal.
int RefusePassphrase(const char* /*prompt*/, char* /*buffer*/, size_t /*length*/, int /*echo*/,
                     int /*verify*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

absl::StatusOr<SshKeyPtr> ParsePrivateKey(absl::string_view text, absl::string_view label) {
  std::string normalized = absl::StrCat(absl::StripAsciiWhitespace(text), "\n");
  bool has_passphrase = false;
  ssh_key key = nullptr;
  const int rc = ssh_pki_import_privkey_base64(normalized.c_str(), nullptr, RefusePassphrase,
                                               &has_passphrase, &key);
  explicit_bzero(normalized.data(), normalized.size());
  if (rc == SSH_OK) return SshKeyPtr(key);
  const std::string name = label.empty() ? "the SSH key" : absl::StrCat("the SSH key ", label);
  if (has_passphrase) {
    return InvalidField(
        "private_key",
        absl::StrCat(name, " has a passphrase: use an ssh agent, or a key without one"));
  }
  return InvalidField("private_key", absl::StrCat(name, " is not an OpenSSH or PEM private key"));
}

LibsshSession::LibsshSession() : session_(ssh_new()) {
  ssh_set_blocking(session_, 0);
  ssh_set_counters(session_, &counters_, nullptr);
}

absl::StatusOr<std::unique_ptr<LibsshSession>> LibsshSession::Create(const std::string& user) {
  std::unique_ptr<LibsshSession> session(new LibsshSession);
  const bool process_config = false;
  const struct {
    ssh_options_e option;
    const void* value;
  } options[] = {
      {SSH_OPTIONS_PROCESS_CONFIG, &process_config},
      // A name that libssh wants but does not use, because it is given a socket. Real ones may have
      // characters that it refuses, such as "_".
      {SSH_OPTIONS_HOST, "host"},
      {SSH_OPTIONS_USER, user.c_str()},
      {SSH_OPTIONS_KNOWNHOSTS, "/dev/null"},
      {SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null"},
      {SSH_OPTIONS_HOSTKEYS, kHostKeyAlgorithms},
  };
  for (const auto& [option, value] : options) {
    if (ssh_options_set(session->get(), option, value) != SSH_OK) {
      return absl::InternalError(absl::StrCat("setting up SSH: ", session->error()));
    }
  }
  return session;
}

LibsshSession::~LibsshSession() {
  if (event_ != nullptr) ssh_event_free(event_);
  if (ssh_is_connected(session_) != 0) {
    // A socket that was handed over is not closed by ssh_disconnect().
    const int fd = ssh_get_fd(session_);
    ssh_disconnect(session_);
    if (fd >= 0) close(fd);
  }
  ssh_free(session_);
}

int LibsshSession::Connect(int fd) {
  if (ssh_options_set(session_, SSH_OPTIONS_FD, &fd) != SSH_OK) {
    close(fd);
    return SSH_ERROR;
  }
  return ssh_connect(session_);
}

bool LibsshSession::Pump() {
  if (event_ == nullptr) {
    event_ = ssh_event_new();
    if (ssh_event_add_session(event_, session_) != SSH_OK) return false;
  }
  for (int i = 0; i < kMaxReadsAPump; ++i) {
    const int rc = ssh_event_dopoll(event_, 0);
    if (rc == SSH_ERROR || ssh_is_connected(session_) == 0) return false;
    if (rc == SSH_AGAIN) break;
  }
  return (ssh_get_status(session_) & (SSH_CLOSED | SSH_CLOSED_ERROR)) == 0;
}

absl::StatusOr<std::string> LibsshSession::HostKeySha256() const {
  ssh_key key = nullptr;
  if (ssh_get_server_publickey(session_, &key) != SSH_OK) {
    return absl::InternalError(absl::StrCat("reading the host key: ", error()));
  }
  const SshKeyPtr owner(key);
  unsigned char* hash = nullptr;
  size_t length = 0;
  if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &length) != SSH_OK) {
    return absl::InternalError(absl::StrCat("hashing the host key: ", error()));
  }
  std::string text =
      absl::Base64Escape(absl::string_view(reinterpret_cast<const char*>(hash), length));
  ssh_clean_pubkey_hash(&hash);
  text.resize(text.find_last_not_of('=') + 1);
  return text;
}

}  // namespace machine::common
