#include "services/common/crypto/certificates.h"

#include <arpa/inet.h>
#include <openssl/err.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/crypto/digest.h"
#include "services/common/crypto/openssl_handles.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

std::string TextOf(const ASN1_STRING* text) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
}

std::string LineOf(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);  // NOLINT(google-runtime-int)
  return std::string(data, static_cast<size_t>(size));
}

std::string PartOf(const X509_NAME* name, int nid) {
  const int at = X509_NAME_get_index_by_NID(name, nid, -1);
  return at < 0 ? "" : TextOf(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

absl::StatusOr<absl::Time> TimeOf(const ASN1_TIME* time) {
  std::tm broken_down = {};
  if (ASN1_TIME_to_tm(time, &broken_down) != 1) {
    return absl::InvalidArgumentError("the certificate has a malformed time");
  }
  return absl::FromTM(broken_down, absl::UTCTimeZone());
}

std::string AddressText(const std::string& bytes) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return absl::BytesToHexString(bytes);
  inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
}

void ReadNames(const X509* cert, CertInfo& info) {
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type != GEN_DNS && type != GEN_IPADD && type != GEN_URI) continue;
    const std::string text = TextOf(static_cast<const ASN1_STRING*>(value));
    if (type == GEN_DNS) info.dns_names.push_back(text);
    if (type == GEN_URI) info.uris.push_back(text);
    if (type == GEN_IPADD) info.ip_addresses.push_back(AddressText(text));
  }
}

std::string SerialOf(const X509* cert) {
  const BignumPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), nullptr));
  std::string bytes(static_cast<size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), Bytes(bytes));
  return absl::BytesToHexString(bytes);
}

std::string FingerprintOf(const X509* cert) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(cert, &der);
  std::string digest =
      Sha256Hex(absl::string_view(reinterpret_cast<const char*>(der), static_cast<size_t>(size)));
  OPENSSL_free(der);
  return digest;
}

}  // namespace

absl::StatusOr<CertInfo> CertInfo::Parse(absl::string_view pem) {
  DM_ASSIGN_OR_RETURN(const CertPtr cert, CertFromPem(pem));
  CertInfo info;
  const X509_NAME* subject = X509_get_subject_name(cert.get());
  info.subject = LineOf(subject);
  info.issuer = LineOf(X509_get_issuer_name(cert.get()));
  info.common_name = PartOf(subject, NID_commonName);
  info.organization = PartOf(subject, NID_organizationName);
  ReadNames(cert.get(), info);
  DM_ASSIGN_OR_RETURN(info.not_before, TimeOf(X509_get0_notBefore(cert.get())));
  DM_ASSIGN_OR_RETURN(info.not_after, TimeOf(X509_get0_notAfter(cert.get())));
  info.serial = SerialOf(cert.get());
  info.fingerprint = FingerprintOf(cert.get());
  info.is_ca = X509_check_ca(cert.get()) != 0;
  return info;
}

absl::Status VerifySignedBy(absl::string_view cert_pem, absl::string_view ca_pem) {
  DM_ASSIGN_OR_RETURN(const CertPtr cert, CertFromPem(cert_pem));
  DM_ASSIGN_OR_RETURN(const CertPtr ca, CertFromPem(ca_pem));
  if (X509_check_issued(ca.get(), cert.get()) == X509_V_OK &&
      X509_verify(cert.get(), X509_get0_pubkey(ca.get())) == 1) {
    return absl::OkStatus();
  }
  ERR_clear_error();  // This thread's next TLS call would take it for its own.
  return absl::FailedPreconditionError(absl::StrCat("the certificate of ",
                                                    LineOf(X509_get_subject_name(cert.get())),
                                                    " was not issued by this authority"));
}

absl::Status KeyMatchesCert(absl::string_view key_pem, absl::string_view cert_pem) {
  DM_ASSIGN_OR_RETURN(const KeyPtr key, KeyFromPem(key_pem));
  DM_ASSIGN_OR_RETURN(const CertPtr cert, CertFromPem(cert_pem));
  if (X509_check_private_key(cert.get(), key.get()) == 1) return absl::OkStatus();
  ERR_clear_error();
  return absl::FailedPreconditionError("the private key does not belong to the certificate");
}

}  // namespace machine::common
