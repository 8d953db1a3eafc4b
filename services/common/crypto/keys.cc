#include "services/common/crypto/keys.h"

#include <openssl/core_names.h>

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/digest.h"
#include "services/common/crypto/openssl_handles.h"
#include "services/common/crypto/random.h"
#include "services/common/crypto/ssh_wire.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr absl::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr absl::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----";
constexpr absl::string_view kMagic("openssh-key-v1\0", 15);
constexpr absl::string_view kEd25519 = "ssh-ed25519";
constexpr absl::string_view kRsa = "ssh-rsa";
constexpr size_t kEd25519Bytes = 32;
// The cipher "none" pads to this.
constexpr size_t kBlockBytes = 8;

struct PublicKey {
  /// The key type, then what belongs to it: what authorized_keys has in Base64.
  std::string blob;
  std::string comment;
};

absl::Status NotAKey() { return absl::InvalidArgumentError("not a private key that ssh can use"); }

std::string Ed25519Blob(absl::string_view point) {
  std::string blob;
  PutSshString(blob, kEd25519);
  PutSshString(blob, point);
  return blob;
}

absl::StatusOr<std::string> BigNumber(const EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return OpensslError("reading the RSA key");
  const BignumPtr number(raw);
  std::string bytes(static_cast<size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), Bytes(bytes));
  return bytes;
}

absl::StatusOr<std::string> RsaBlob(const EVP_PKEY* key) {
  DM_ASSIGN_OR_RETURN(const std::string exponent, BigNumber(key, OSSL_PKEY_PARAM_RSA_E));
  DM_ASSIGN_OR_RETURN(const std::string modulus, BigNumber(key, OSSL_PKEY_PARAM_RSA_N));
  std::string blob;
  PutSshString(blob, kRsa);
  PutSshMpint(blob, exponent);
  PutSshMpint(blob, modulus);
  return blob;
}

absl::StatusOr<std::string> EcdsaBlob(const EVP_PKEY* key) {
  struct Curve {
    absl::string_view openssl, ssh;
  };
  constexpr std::array<Curve, 3> kCurves = {
      {{"prime256v1", "nistp256"}, {"secp384r1", "nistp384"}, {"secp521r1", "nistp521"}}};
  std::string group(64, '\0');
  size_t group_length = 0;
  // Room for the point of the largest curve: one byte and twice 66.
  std::string point(133, '\0');
  size_t point_length = 0;
  if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(),
                                     &group_length) != 1 ||
      EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, Bytes(point), point.size(),
                                      &point_length) != 1) {
    return OpensslError("reading the ECDSA key");
  }
  group.resize(group_length);
  point.resize(point_length);
  const auto* curve = std::find_if(kCurves.begin(), kCurves.end(),
                                   [&](const Curve& c) { return c.openssl == group; });
  if (curve == kCurves.end()) return NotAKey();
  std::string blob;
  PutSshString(blob, absl::StrCat("ecdsa-sha2-", curve->ssh));
  PutSshString(blob, curve->ssh);
  PutSshString(blob, point);
  return blob;
}

absl::StatusOr<PublicKey> FromPem(absl::string_view pem) {
  DM_ASSIGN_OR_RETURN(const KeyPtr key, KeyFromPem(pem));
  PublicKey result;
  switch (EVP_PKEY_get_base_id(key.get())) {
    case EVP_PKEY_ED25519: {
      std::string point(kEd25519Bytes, '\0');
      size_t length = point.size();
      if (EVP_PKEY_get_raw_public_key(key.get(), Bytes(point), &length) != 1) {
        return OpensslError("reading the Ed25519 key");
      }
      result.blob = Ed25519Blob(point);
      return result;
    }
    case EVP_PKEY_RSA: {
      DM_ASSIGN_OR_RETURN(result.blob, RsaBlob(key.get()));
      return result;
    }
    case EVP_PKEY_EC: {
      DM_ASSIGN_OR_RETURN(result.blob, EcdsaBlob(key.get()));
      return result;
    }
    default:
      return NotAKey();
  }
}

/// The public blob as the private part of an OpenSSH key implies it, with the comment after it.
absl::StatusOr<PublicKey> FromPrivatePart(absl::string_view bytes) {
  SshReader reader(bytes);
  DM_ASSIGN_OR_RETURN(const uint32_t check1, reader.Uint32());
  DM_ASSIGN_OR_RETURN(const uint32_t check2, reader.Uint32());
  if (check1 != check2) return NotAKey();
  DM_ASSIGN_OR_RETURN(const absl::string_view type, reader.String());
  PublicKey key;
  int private_fields;
  PutSshString(key.blob, type);
  if (type == kEd25519) {
    DM_ASSIGN_OR_RETURN(const absl::string_view point, reader.String());
    PutSshString(key.blob, point);
    private_fields = 1;
  } else if (type == kRsa) {
    // Here the modulus comes first, in a public blob the exponent.
    DM_ASSIGN_OR_RETURN(const absl::string_view modulus, reader.String());
    DM_ASSIGN_OR_RETURN(const absl::string_view exponent, reader.String());
    PutSshString(key.blob, exponent);
    PutSshString(key.blob, modulus);
    private_fields = 4;  // d, iqmp, p, q
  } else if (absl::StartsWith(type, "ecdsa-sha2-")) {
    DM_ASSIGN_OR_RETURN(const absl::string_view curve, reader.String());
    DM_ASSIGN_OR_RETURN(const absl::string_view point, reader.String());
    PutSshString(key.blob, curve);
    PutSshString(key.blob, point);
    private_fields = 1;
  } else {
    return absl::InvalidArgumentError("a key of this type is not supported; use Ed25519 or RSA");
  }
  for (; private_fields > 0; --private_fields) DM_RETURN_IF_ERROR(reader.String().status());
  DM_ASSIGN_OR_RETURN(const absl::string_view comment, reader.String());
  key.comment = std::string(comment);
  return key;
}

absl::StatusOr<PublicKey> FromOpenssh(absl::string_view text) {
  const size_t begin = text.find(kBegin);
  const size_t end = text.find(kEnd);
  if (begin == absl::string_view::npos || end == absl::string_view::npos || end < begin) {
    return NotAKey();
  }
  std::string decoded;
  if (!absl::Base64Unescape(text.substr(begin + kBegin.size(), end - begin - kBegin.size()),
                            &decoded)) {
    return NotAKey();
  }
  const SecretString owned(std::move(decoded));
  absl::string_view bytes = owned.view();
  if (!absl::ConsumePrefix(&bytes, kMagic)) return NotAKey();
  SshReader reader(bytes);
  DM_ASSIGN_OR_RETURN(const absl::string_view cipher, reader.String());
  DM_RETURN_IF_ERROR(reader.String().status());  // key derivation function
  DM_RETURN_IF_ERROR(reader.String().status());  // and its options
  DM_ASSIGN_OR_RETURN(const uint32_t keys, reader.Uint32());
  if (keys != 1) return NotAKey();
  DM_ASSIGN_OR_RETURN(const absl::string_view blob, reader.String());
  if (cipher != "none") {
    return absl::FailedPreconditionError("the private key is protected by a passphrase");
  }
  DM_ASSIGN_OR_RETURN(const absl::string_view private_part, reader.String());
  DM_ASSIGN_OR_RETURN(PublicKey key, FromPrivatePart(private_part));
  if (key.blob != blob) return NotAKey();
  return key;
}

bool IsOneLine(absl::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return absl::ascii_iscntrl(c); });
}

absl::StatusOr<std::string> PublicLine(const PublicKey& key) {
  if (!IsOneLine(key.comment)) {
    return absl::InvalidArgumentError("a key's comment is one line of text");
  }
  SshReader reader(key.blob);
  DM_ASSIGN_OR_RETURN(const absl::string_view type, reader.String());
  return absl::StrCat(type, " ", absl::Base64Escape(key.blob), key.comment.empty() ? "" : " ",
                      key.comment);
}

/// openssh-key-v1 around one Ed25519 key. `seed` and `point` are the key's two halves.
SecretString EncodeOpenssh(absl::string_view seed, absl::string_view point,
                           absl::string_view comment) {
  std::string private_part;
  // Never grown, so that no copy of the secret is left behind in freed memory.
  private_part.reserve(256 + comment.size());
  // A reader that decrypted with a wrong passphrase would see that the two differ.
  const std::string check = RandomBytes(4);
  private_part += check;
  private_part += check;
  private_part += Ed25519Blob(point);
  PutSshUint32(private_part, 2 * kEd25519Bytes);
  private_part.append(seed.data(), seed.size()).append(point.data(), point.size());
  PutSshString(private_part, comment);
  for (char pad = 1; private_part.size() % kBlockBytes != 0; ++pad) private_part.push_back(pad);

  std::string file;
  file.reserve(private_part.size() + 256);
  file.append(kMagic.data(), kMagic.size());
  PutSshString(file, "none");
  PutSshString(file, "none");
  PutSshString(file, "");
  PutSshUint32(file, 1);
  PutSshString(file, Ed25519Blob(point));
  PutSshString(file, private_part);
  SecureErase(private_part);

  std::string base64 = absl::Base64Escape(file);
  SecureErase(file);
  constexpr size_t kLineLength = 70;
  std::string text;
  text.reserve(2 * base64.size() + 128);
  absl::StrAppend(&text, kBegin, "\n");
  for (size_t i = 0; i < base64.size(); i += kLineLength) {
    absl::StrAppend(&text, absl::string_view(base64).substr(i, kLineLength), "\n");
  }
  absl::StrAppend(&text, kEnd, "\n");
  SecureErase(base64);
  return SecretString(std::move(text));
}

}  // namespace

absl::StatusOr<SshKeyPair> GenerateSshKeyPair(absl::string_view comment) {
  const KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  std::string seed(kEd25519Bytes, '\0');
  std::string point(kEd25519Bytes, '\0');
  size_t seed_length = seed.size();
  size_t point_length = point.size();
  if (key == nullptr || EVP_PKEY_get_raw_private_key(key.get(), Bytes(seed), &seed_length) != 1 ||
      EVP_PKEY_get_raw_public_key(key.get(), Bytes(point), &point_length) != 1) {
    return OpensslError("generating an SSH key");
  }
  const SecretString owned_seed(std::move(seed));
  SshKeyPair pair;
  DM_ASSIGN_OR_RETURN(pair.public_key, PublicLine({Ed25519Blob(point), std::string(comment)}));
  pair.private_key = EncodeOpenssh(owned_seed.view(), point, comment);
  return pair;
}

absl::StatusOr<std::string> SshPublicKey(absl::string_view private_key, absl::string_view comment) {
  const bool openssh = private_key.find(kBegin) != absl::string_view::npos;
  DM_ASSIGN_OR_RETURN(PublicKey key, openssh ? FromOpenssh(private_key) : FromPem(private_key));
  if (!comment.empty()) key.comment = std::string(comment);
  return PublicLine(key);
}

absl::StatusOr<std::string> SshFingerprint(absl::string_view public_key) {
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::StripAsciiWhitespace(public_key), ' ', absl::SkipEmpty());
  std::string blob;
  if (fields.size() < 2 || !absl::Base64Unescape(fields[1], &blob)) {
    return absl::InvalidArgumentError("not a public SSH key");
  }
  SshReader reader(blob);
  const absl::StatusOr<absl::string_view> type = reader.String();
  if (!type.ok() || *type != fields[0]) return absl::InvalidArgumentError("not a public SSH key");
  const std::string digest = absl::Base64Escape(Sha256(blob));
  return absl::StrCat("SHA256:", absl::StripSuffix(digest, "="));
}

}  // namespace machine::common
