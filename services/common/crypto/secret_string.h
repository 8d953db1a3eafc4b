// Text that is wiped from memory when it is no longer needed.
#ifndef SERVICES_COMMON_CRYPTO_SECRET_STRING_H_
#define SERVICES_COMMON_CRYPTO_SECRET_STRING_H_

#include <string>

#include "absl/strings/string_view.h"

namespace machine::common {

/// Overwrites `text`, also what is beyond its end, and empties it. Not optimised away.
void SecureErase(std::string& text);

/// Owns a secret and wipes it on destruction, assignment and move. It has no output operator, so it
/// does not slip into a log. Copies are wiped too, each in its turn. Not thread-safe.
class SecretString {
 public:
  SecretString() = default;
  /// Takes the bytes over and wipes the argument where they were.
  explicit SecretString(std::string&& secret);
  explicit SecretString(absl::string_view secret) : secret_(secret) {}
  explicit SecretString(const char* secret) : secret_(secret) {}
  SecretString(const SecretString& other) = default;
  SecretString(SecretString&& other) noexcept;
  SecretString& operator=(const SecretString& other);
  SecretString& operator=(SecretString&& other) noexcept;
  ~SecretString() { SecureErase(secret_); }

  /// The secret, as long as this object lives and is not changed.
  absl::string_view view() const { return secret_; }
  bool empty() const { return secret_.empty(); }

 private:
  std::string secret_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_SECRET_STRING_H_
