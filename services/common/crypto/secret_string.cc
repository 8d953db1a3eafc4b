#include "services/common/crypto/secret_string.h"

#include <openssl/crypto.h>

#include <utility>

namespace machine::common {

void SecureErase(std::string& text) {
  // The buffer may hold more of the secret than the current length says.
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

SecretString::SecretString(std::string&& secret) : secret_(std::move(secret)) {
  // A short string is copied by a move; its bytes then are still in the source.
  SecureErase(secret);  // NOLINT(clang-analyzer-cplusplus.Move)
}

SecretString::SecretString(SecretString&& other) noexcept : secret_(std::move(other.secret_)) {
  SecureErase(other.secret_);
}

SecretString& SecretString::operator=(const SecretString& other) {
  if (this != &other) {
    SecureErase(secret_);
    secret_ = other.secret_;
  }
  return *this;
}

SecretString& SecretString::operator=(SecretString&& other) noexcept {
  if (this != &other) {
    SecureErase(secret_);
    secret_ = std::move(other.secret_);
    SecureErase(other.secret_);
  }
  return *this;
}

}  // namespace machine::common
