// Ownership of OpenSSL's objects, and its errors as Status. For this folder only.
#ifndef SERVICES_COMMON_CRYPTO_OPENSSL_HANDLES_H_
#define SERVICES_COMMON_CRYPTO_OPENSSL_HANDLES_H_

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::common {

template <auto kFree>
struct OpensslDeleter {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using BioPtr = std::unique_ptr<BIO, OpensslDeleter<BIO_free_all>>;
using BignumPtr = std::unique_ptr<BIGNUM, OpensslDeleter<BN_free>>;
using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, OpensslDeleter<EVP_CIPHER_CTX_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslDeleter<EVP_PKEY_free>>;
using CertPtr = std::unique_ptr<X509, OpensslDeleter<X509_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, OpensslDeleter<X509_REQ_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpensslDeleter<X509_EXTENSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpensslDeleter<GENERAL_NAMES_free>>;

/// INTERNAL with OpenSSL's last reason, which never holds key material. Empties its error queue.
absl::Status OpensslError(absl::string_view what);

inline const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* Bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

/// A memory BIO that reads `text`, which must outlive it.
BioPtr ReadBio(absl::string_view text);

/// The private key in `pem` (PKCS#1, SEC1 or PKCS#8). FAILED_PRECONDITION when a passphrase
/// protects it, INVALID_ARGUMENT when it is no private key.
absl::StatusOr<KeyPtr> KeyFromPem(absl::string_view pem);

/// The first certificate in `pem`; INVALID_ARGUMENT when there is none.
absl::StatusOr<CertPtr> CertFromPem(absl::string_view pem);

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_OPENSSL_HANDLES_H_
