#include "services/common/crypto/sealing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/aes_gcm.h"
#include "services/common/crypto/digest.h"
#include "services/common/crypto/openssl_handles.h"
#include "services/common/crypto/random.h"
#include "services/common/file/file.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

// A sealed value: magic and version | key id | wrapped data key | encrypted value,
// where the last two are nonce, ciphertext and tag each.
constexpr absl::string_view kFormat("DMSEAL\0\x01", 8);
constexpr size_t kIdBytes = 8;
constexpr size_t kWrapBytes = kGcmNonceBytes + kAesKeyBytes + kGcmTagBytes;
constexpr size_t kHeaderBytes = kFormat.size() + kIdBytes + kWrapBytes;
constexpr uint64_t kMaxScryptBytes = uint64_t{1} << 30;
constexpr size_t kSaltBytes = 16;
constexpr size_t kKeyFileBytes = 2 * SealingKey::kKeyBytes + 2;
constexpr size_t kMaxPassphraseBytes = 1024;

absl::Status Corrupt(absl::string_view why) {
  return Error(absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
               absl::StrCat("a sealed value cannot be opened: ", why));
}

/// The value's own associated data. Without the key id, which a change of keys changes.
std::string ValueAad(absl::string_view aad) { return absl::StrCat(kFormat, "value", aad); }

std::string WrapAad(absl::string_view id_bytes) { return absl::StrCat(kFormat, "key", id_bytes); }

// Whether nobody can read the file that this user has not to trust anyway. What root hands over may
// be readable by a group or, which looks the same, by an access list.
bool IsPrivate(const struct stat& info) {
  if (info.st_uid == geteuid()) return (info.st_mode & 0077) == 0;
  return info.st_uid == 0 && (info.st_mode & 0037) == 0;
}

// What the file holds, at most `max_bytes` and one more; `what` names it in errors.
absl::StatusOr<SecretString> ReadPrivateFile(absl::string_view what, absl::string_view path,
                                             size_t max_bytes) {
  const UniqueFd fd(open(std::string(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    const int error = errno;
    return absl::ErrnoToStatus(error, absl::StrCat("opening ", what, " ", path));
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(what, " ", path, " is not a regular file"));
  }
  if (!IsPrivate(info)) {
    return absl::PermissionDeniedError(
        absl::StrCat(what, " ", path,
                     " can be read by others; it must belong to this user with mode 0600, or to "
                     "root with mode 0640"));
  }
  // One byte more than is allowed, to see that there is no more.
  std::string text(max_bytes + 1, '\0');
  const ssize_t count = read(fd.get(), text.data(), text.size());
  if (count < 0) {
    const int error = errno;
    return absl::ErrnoToStatus(error, absl::StrCat("reading ", what, " ", path));
  }
  text.resize(static_cast<size_t>(count));
  return SecretString(std::move(text));
}

}  // namespace

ScryptParameters ScryptParameters::New() { return {.salt = RandomBytes(kSaltBytes)}; }

std::string ScryptParameters::ToString() const {
  return absl::StrCat("scrypt:", n, ":", r, ":", p, ":", absl::BytesToHexString(salt));
}

absl::StatusOr<ScryptParameters> ScryptParameters::Parse(absl::string_view text) {
  const std::vector<absl::string_view> fields = absl::StrSplit(text, ':');
  ScryptParameters parsed;
  const bool well_formed =
      fields.size() == 5 && fields[0] == "scrypt" && absl::SimpleAtoi(fields[1], &parsed.n) &&
      absl::SimpleAtoi(fields[2], &parsed.r) && absl::SimpleAtoi(fields[3], &parsed.p) &&
      fields[4].size() == 2 * kSaltBytes &&
      std::all_of(fields[4].begin(), fields[4].end(), absl::ascii_isxdigit);
  if (!well_formed || parsed.n < 2 || (parsed.n & (parsed.n - 1)) != 0 || parsed.r == 0 ||
      parsed.p == 0 || parsed.r > 1024 || parsed.p > 1024 ||
      parsed.n > kMaxScryptBytes / (128 * parsed.r)) {
    return absl::InvalidArgumentError("malformed scrypt parameters");
  }
  parsed.salt = absl::HexStringToBytes(fields[4]);
  return parsed;
}

SealingKey::SealingKey(SecretString key)
    : key_(std::move(key)),
      id_(absl::BytesToHexString(
          HmacSha256(key_.view(), "machine sealing key id").substr(0, kIdBytes))) {}

absl::StatusOr<SealingKey> SealingKey::FromBytes(SecretString key) {
  if (key.view().size() != kKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a sealing key has ", kKeyBytes, " bytes"));
  }
  return SealingKey(std::move(key));
}

absl::StatusOr<SealingKey> SealingKey::FromFile(absl::string_view path) {
  DM_ASSIGN_OR_RETURN(const SecretString text, ReadPrivateFile("key file", path, kKeyFileBytes));
  const absl::string_view digits = absl::StripTrailingAsciiWhitespace(text.view());
  if (digits.size() != 2 * kKeyBytes ||
      !std::all_of(digits.begin(), digits.end(), absl::ascii_isxdigit)) {
    return absl::InvalidArgumentError(
        absl::StrCat("key file ", path, " does not hold ", 2 * kKeyBytes, " hexadecimal digits"));
  }
  return FromBytes(SecretString(absl::HexStringToBytes(digits)));
}

absl::StatusOr<SealingKey> SealingKey::FromNewFile(absl::string_view path) {
  absl::StatusOr<SealingKey> existing = FromFile(path);
  if (!absl::IsNotFound(existing.status())) return existing;
  const SecretString key(RandomBytes(kKeyBytes));
  const SecretString text(absl::StrCat(absl::BytesToHexString(key.view()), "\n"));
  const absl::Status created = CreateFileAtomically(path, text.view(), 0600);
  if (!created.ok() && !absl::IsAlreadyExists(created)) return Annotate(created, "key file");
  // Read back also when it was created here: what counts is what the next start will find.
  return FromFile(path);
}

absl::StatusOr<SealingKey> SealingKey::FromPassphrase(absl::string_view passphrase,
                                                      const ScryptParameters& parameters) {
  if (passphrase.empty()) return absl::InvalidArgumentError("the passphrase is empty");
  if (parameters.salt.size() != kSaltBytes) {
    return absl::InvalidArgumentError("malformed scrypt parameters");
  }
  std::string key(kKeyBytes, '\0');
  if (EVP_PBE_scrypt(passphrase.data(), passphrase.size(),
                     Bytes(absl::string_view(parameters.salt)), parameters.salt.size(),
                     parameters.n, parameters.r, parameters.p, 2 * kMaxScryptBytes, Bytes(key),
                     key.size()) != 1) {
    return OpensslError("deriving a key from the passphrase");
  }
  return FromBytes(SecretString(std::move(key)));
}

absl::StatusOr<SealingKey> SealingKey::FromPassphraseFile(absl::string_view path,
                                                          const ScryptParameters& parameters) {
  constexpr absl::string_view kWhat = "passphrase file";
  DM_ASSIGN_OR_RETURN(const SecretString text, ReadPrivateFile(kWhat, path, kMaxPassphraseBytes));
  if (text.view().size() > kMaxPassphraseBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(kWhat, " ", path, " holds more than ", kMaxPassphraseBytes, " bytes"));
  }
  absl::string_view passphrase = text.view();
  if (absl::ConsumeSuffix(&passphrase, "\n")) absl::ConsumeSuffix(&passphrase, "\r");
  return Annotate(FromPassphrase(passphrase, parameters), absl::StrCat(kWhat, " ", path));
}

absl::StatusOr<std::string> SealingKey::WrappedHeader(absl::string_view data_key) const {
  const std::string id_bytes = absl::HexStringToBytes(id_);
  DM_ASSIGN_OR_RETURN(const std::string wrapped,
                      GcmEncrypt(key_.view(), data_key, WrapAad(id_bytes)));
  return absl::StrCat(kFormat, id_bytes, wrapped);
}

absl::StatusOr<std::string> SealingKey::Seal(absl::string_view plaintext,
                                             absl::string_view aad) const {
  const SecretString data_key(RandomBytes(kAesKeyBytes));
  DM_ASSIGN_OR_RETURN(const std::string header, WrappedHeader(data_key.view()));
  DM_ASSIGN_OR_RETURN(const std::string value,
                      GcmEncrypt(data_key.view(), plaintext, ValueAad(aad)));
  return absl::StrCat(header, value);
}

absl::StatusOr<SecretString> SealingKey::Unwrap(absl::string_view sealed) const {
  DM_ASSIGN_OR_RETURN(const std::string wanted, SealedKeyId(sealed));
  if (wanted != id_) {
    return Corrupt(absl::StrCat("it was sealed with key ", wanted, ", and this is key ", id_));
  }
  absl::StatusOr<SecretString> data_key =
      GcmDecrypt(key_.view(), sealed.substr(kFormat.size() + kIdBytes, kWrapBytes),
                 WrapAad(sealed.substr(kFormat.size(), kIdBytes)));
  if (!data_key.ok()) return Corrupt(data_key.status().message());
  return data_key;
}

absl::StatusOr<SecretString> SealingKey::Open(absl::string_view sealed,
                                              absl::string_view aad) const {
  DM_ASSIGN_OR_RETURN(const SecretString data_key, Unwrap(sealed));
  absl::StatusOr<SecretString> plaintext =
      GcmDecrypt(data_key.view(), sealed.substr(kHeaderBytes), ValueAad(aad));
  if (!plaintext.ok()) return Corrupt(plaintext.status().message());
  return plaintext;
}

absl::StatusOr<std::string> Rewrap(absl::string_view sealed, const SealingKey& from,
                                   const SealingKey& to) {
  DM_ASSIGN_OR_RETURN(const SecretString data_key, from.Unwrap(sealed));
  DM_ASSIGN_OR_RETURN(const std::string header, to.WrappedHeader(data_key.view()));
  return absl::StrCat(header, sealed.substr(kHeaderBytes));
}

absl::StatusOr<std::string> SealedKeyId(absl::string_view sealed) {
  if (sealed.size() < kHeaderBytes + kGcmNonceBytes + kGcmTagBytes) return Corrupt("cut short");
  if (sealed.substr(0, kFormat.size()) != kFormat) {
    return Corrupt("it is not in a format that this version knows");
  }
  return absl::BytesToHexString(sealed.substr(kFormat.size(), kIdBytes));
}

}  // namespace machine::common
