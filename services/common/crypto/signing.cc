#include "services/common/crypto/signing.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <memory>

#include "services/common/crypto/openssl_handles.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

using DigestPtr = std::unique_ptr<EVP_MD_CTX, OpensslDeleter<EVP_MD_CTX_free>>;

}  // namespace

absl::StatusOr<std::string> SignRs256(absl::string_view private_key_pem, absl::string_view data) {
  DM_ASSIGN_OR_RETURN(const KeyPtr key, KeyFromPem(private_key_pem));
  if (EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA) {
    return absl::InvalidArgumentError("the private key is not an RSA key");
  }
  const DigestPtr context(EVP_MD_CTX_new());
  size_t length = 0;
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &length, Bytes(data), data.size()) != 1) {
    return OpensslError("signing");
  }
  std::string signature(length, '\0');
  if (EVP_DigestSign(context.get(), Bytes(signature), &length, Bytes(data), data.size()) != 1) {
    return OpensslError("signing");
  }
  signature.resize(length);
  return signature;
}

absl::StatusOr<std::string> CertificateSha1(absl::string_view pem) {
  DM_ASSIGN_OR_RETURN(const CertPtr certificate, CertFromPem(pem));
  std::string digest(SHA_DIGEST_LENGTH, '\0');
  unsigned int length = SHA_DIGEST_LENGTH;
  if (X509_digest(certificate.get(), EVP_sha1(), Bytes(digest), &length) != 1) {
    return OpensslError("digest of a certificate");
  }
  return digest;
}

}  // namespace machine::common
