#include "services/common/crypto/openssl_handles.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "absl/strings/str_cat.h"

namespace machine::common {
namespace {

/// Without this OpenSSL would ask for a passphrase at the terminal.
int NoteThatPassphraseIsNeeded(char* /*buffer*/, int /*size*/, int /*writing*/, void* needed) {
  *static_cast<bool*>(needed) = true;
  return -1;
}

}  // namespace

absl::Status OpensslError(absl::string_view what) {
  const unsigned long code = ERR_peek_last_error();  // NOLINT(google-runtime-int)
  const char* reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return absl::InternalError(absl::StrCat(what, ": ", reason == nullptr ? "failed" : reason));
}

BioPtr ReadBio(absl::string_view text) {
  // OpenSSL refuses a null pointer even for no bytes at all.
  return BioPtr(BIO_new_mem_buf(text.empty() ? "" : text.data(), static_cast<int>(text.size())));
}

absl::StatusOr<KeyPtr> KeyFromPem(absl::string_view pem) {
  bool needs_passphrase = false;
  const BioPtr bio = ReadBio(pem);
  KeyPtr key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, NoteThatPassphraseIsNeeded, &needs_passphrase));
  ERR_clear_error();
  if (key != nullptr) return key;
  if (needs_passphrase) {
    return absl::FailedPreconditionError("the private key is protected by a passphrase");
  }
  return absl::InvalidArgumentError("not a private key in PEM form");
}

absl::StatusOr<CertPtr> CertFromPem(absl::string_view pem) {
  const BioPtr bio = ReadBio(pem);
  CertPtr cert(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (cert == nullptr) return absl::InvalidArgumentError("not a certificate in PEM form");
  return cert;
}

}  // namespace machine::common
