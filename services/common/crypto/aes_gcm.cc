#include "services/common/crypto/aes_gcm.h"

#include <openssl/err.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "services/common/crypto/openssl_handles.h"
#include "services/common/crypto/random.h"

namespace machine::common {

absl::StatusOr<std::string> GcmEncrypt(absl::string_view key, absl::string_view plaintext,
                                       absl::string_view aad) {
  // OpenSSL counts in int. Far below what GCM allows under one nonce.
  if (plaintext.size() > std::numeric_limits<int>::max() / 2) {
    return absl::InvalidArgumentError("too long to be sealed");
  }
  const std::string nonce = RandomBytes(kGcmNonceBytes);
  std::string ciphertext(plaintext.size(), '\0');
  std::string tag(kGcmTagBytes, '\0');
  const CipherPtr context(EVP_CIPHER_CTX_new());
  int length = 0;
  if (key.size() != kAesKeyBytes || context == nullptr ||
      EVP_EncryptInit_ex2(context.get(), EVP_aes_256_gcm(), Bytes(key), Bytes(nonce), nullptr) !=
          1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &length, Bytes(aad),
                        static_cast<int>(aad.size())) != 1 ||
      EVP_EncryptUpdate(context.get(), Bytes(ciphertext), &length, Bytes(plaintext),
                        static_cast<int>(plaintext.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), nullptr, &length) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kGcmTagBytes, tag.data()) != 1) {
    return OpensslError("encrypting");
  }
  return absl::StrCat(nonce, ciphertext, tag);
}

absl::StatusOr<SecretString> GcmDecrypt(absl::string_view key, absl::string_view encrypted,
                                        absl::string_view aad) {
  if (encrypted.size() < kGcmNonceBytes + kGcmTagBytes ||
      encrypted.size() > std::numeric_limits<int>::max()) {
    return absl::DataLossError("cut short");
  }
  const absl::string_view nonce = encrypted.substr(0, kGcmNonceBytes);
  const absl::string_view ciphertext =
      encrypted.substr(kGcmNonceBytes, encrypted.size() - kGcmNonceBytes - kGcmTagBytes);
  std::string tag(encrypted.substr(encrypted.size() - kGcmTagBytes));
  std::string plaintext(ciphertext.size(), '\0');
  const CipherPtr context(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool opened =
      key.size() == kAesKeyBytes && context != nullptr &&
      EVP_DecryptInit_ex2(context.get(), EVP_aes_256_gcm(), Bytes(key), Bytes(nonce), nullptr) ==
          1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &length, Bytes(aad),
                        static_cast<int>(aad.size())) == 1 &&
      EVP_DecryptUpdate(context.get(), Bytes(plaintext), &length, Bytes(ciphertext),
                        static_cast<int>(ciphertext.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kGcmTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), nullptr, &length) == 1;
  SecretString owned(std::move(plaintext));
  if (opened) return owned;
  ERR_clear_error();
  return absl::DataLossError("it was changed, or sealed for something else");
}

}  // namespace machine::common
