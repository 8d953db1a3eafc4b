// Envelope encryption of secrets at rest.
//
// Each sealed value has a random data key of its own, with which it is encrypted; the data key is
// encrypted ("wrapped") with the key encryption key of the store. So a change of the latter wraps
// 32 bytes anew for each value and never touches the values. Both use AES-256-GCM.
#ifndef SERVICES_COMMON_CRYPTO_SEALING_H_
#define SERVICES_COMMON_CRYPTO_SEALING_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/crypto/secret_string.h"

namespace machine::common {

/// How a passphrase becomes a key (RFC 7914). Not secret; stored beside what the key protects.
struct ScryptParameters {
  /// 16 random bytes.
  std::string salt;
  /// The cost of one guess: 128 * r * n bytes of memory.
  uint64_t n = 1 << 15;
  uint64_t r = 8;
  uint64_t p = 1;

  /// The defaults with a new salt.
  static ScryptParameters New();

  /// As text without blanks, "scrypt:N:R:P:SALT", and back. INVALID_ARGUMENT when it is malformed
  /// or asks for more than 1 GiB.
  std::string ToString() const;
  static absl::StatusOr<ScryptParameters> Parse(absl::string_view text);
};

/// A key encryption key. Immutable and thread-safe; wiped on destruction.
class SealingKey {
 public:
  static constexpr size_t kKeyBytes = 32;

  /// INVALID_ARGUMENT unless `key` has 32 bytes.
  static absl::StatusOr<SealingKey> FromBytes(SecretString key);

  /// The key in the file at `path`: 64 hexadecimal digits and an optional line end. NOT_FOUND;
  /// PERMISSION_DENIED when anybody but its owner, this user, can read it, or it is root's and more
  /// than a group can; INVALID_ARGUMENT when it holds something else.
  static absl::StatusOr<SealingKey> FromFile(absl::string_view path);

  /// As FromFile(), but creates the file, with mode 0600 and a random key, when there is none. Of
  /// several processes that do so at once, all get the same key. Only for a store without sealed
  /// values yet: a new key cannot open them.
  static absl::StatusOr<SealingKey> FromNewFile(absl::string_view path);

  /// Takes about 0.1 s and 32 MiB with the default parameters.
  static absl::StatusOr<SealingKey> FromPassphrase(absl::string_view passphrase,
                                                   const ScryptParameters& parameters);

  /// The same with what the file at `path` holds, but for a line end; at most 1024 bytes. Errors as
  /// of FromFile().
  static absl::StatusOr<SealingKey> FromPassphraseFile(absl::string_view path,
                                                       const ScryptParameters& parameters);

  /// 16 hexadecimal digits that tell keys apart and say nothing about them.
  const std::string& id() const { return id_; }

  /// `plaintext` encrypted and bound to `aad`, for example the uid and field it belongs to. 105
  /// bytes longer than the plaintext; twice the same input gives two different results.
  absl::StatusOr<std::string> Seal(absl::string_view plaintext, absl::string_view aad) const;

  /// The plaintext. DATA_LOSS STORE_CORRUPT when a bit of `sealed` was changed, or it was sealed
  /// with another `aad` or another key; the message says which key it wants.
  absl::StatusOr<SecretString> Open(absl::string_view sealed, absl::string_view aad) const;

 private:
  friend absl::StatusOr<std::string> Rewrap(absl::string_view sealed, const SealingKey& from,
                                            const SealingKey& to);
  explicit SealingKey(SecretString key);

  absl::StatusOr<SecretString> Unwrap(absl::string_view sealed) const;
  absl::StatusOr<std::string> WrappedHeader(absl::string_view data_key) const;

  SecretString key_;
  std::string id_;
};

/// `sealed` by `from`, now to be opened with `to`; the value itself is not decrypted. DATA_LOSS
/// STORE_CORRUPT when `from` cannot open it.
absl::StatusOr<std::string> Rewrap(absl::string_view sealed, const SealingKey& from,
                                   const SealingKey& to);

/// The id() of the key that `sealed` wants; DATA_LOSS STORE_CORRUPT when it is no sealed value.
absl::StatusOr<std::string> SealedKeyId(absl::string_view sealed);

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_SEALING_H_
