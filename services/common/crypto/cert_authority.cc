#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/certificates.h"
#include "services/common/crypto/openssl_handles.h"
#include "services/common/crypto/random.h"
#include "services/common/status/status.h"

namespace machine::common {

struct CertAuthority::State {
  CertPtr cert;
  KeyPtr key;
  std::string cert_pem;
  SecretString key_pem;
  absl::Time not_after;
  std::string organization;
  const Clock* clock;
};

namespace {

// The other side's clock may be behind ours.
constexpr absl::Duration kBackdate = absl::Minutes(5);
// The limits of X.520 for both parts of a subject, and of DNS.
constexpr size_t kMaxSubjectPart = 64;
constexpr size_t kMaxDnsName = 253;
constexpr size_t kMaxDnsLabel = 63;
// RSA with 2048 bits, P-256 and Ed25519 have it.
constexpr int kMinSecurityBits = 112;

/// What the certificates of this file differ in.
struct Template {
  std::string common_name;
  std::string organization;
  NamesPtr names;
  const char* basic_constraints = "critical,CA:FALSE";
  const char* key_usage = "critical,digitalSignature";
  const char* extended_key_usage = nullptr;
  absl::Time not_before;
  absl::Time not_after;
};

absl::StatusOr<KeyPtr> NewKey() {
  KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  if (key == nullptr) return OpensslError("generating a key");
  return key;
}

absl::StatusOr<std::string> CertPem(X509* cert) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), cert) != 1) return OpensslError("writing a certificate");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);  // NOLINT(google-runtime-int)
  return std::string(data, static_cast<size_t>(size));
}

absl::StatusOr<SecretString> KeyPem(EVP_PKEY* key) {
  // Its buffer is wiped when it is freed.
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return OpensslError("writing a key");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);  // NOLINT(google-runtime-int)
  return SecretString(absl::string_view(data, static_cast<size_t>(size)));
}

absl::Status AddSubject(X509* cert, const Template& fields) {
  X509_NAME* subject = X509_get_subject_name(cert);
  const std::array<std::pair<int, const std::string*>, 2> parts = {
      {{NID_organizationName, &fields.organization}, {NID_commonName, &fields.common_name}}};
  for (const auto& [nid, text] : parts) {
    if (text->empty()) continue;
    if (text->size() > kMaxSubjectPart) {
      return absl::InvalidArgumentError(
          absl::StrCat("longer than ", kMaxSubjectPart, " bytes: \"", *text, "\""));
    }
    if (X509_NAME_add_entry_by_NID(subject, nid, MBSTRING_UTF8, Bytes(*text),
                                   static_cast<int>(text->size()), -1, 0) != 1) {
      return absl::InvalidArgumentError(absl::StrCat("not fit for a certificate: \"", *text, "\""));
    }
  }
  return absl::OkStatus();
}

absl::Status AddExtension(X509* cert, X509V3_CTX* context, int nid, const char* value) {
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, context, nid, value));
  if (extension == nullptr || X509_add_ext(cert, extension.get(), -1) != 1) {
    return OpensslError("adding an extension");
  }
  return absl::OkStatus();
}

absl::Status AddExtensions(X509* cert, X509* issuer, const Template& fields) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  DM_RETURN_IF_ERROR(AddExtension(cert, &context, NID_basic_constraints, fields.basic_constraints));
  DM_RETURN_IF_ERROR(AddExtension(cert, &context, NID_key_usage, fields.key_usage));
  if (fields.extended_key_usage != nullptr) {
    DM_RETURN_IF_ERROR(AddExtension(cert, &context, NID_ext_key_usage, fields.extended_key_usage));
  }
  DM_RETURN_IF_ERROR(AddExtension(cert, &context, NID_subject_key_identifier, "hash"));
  // An imported authority may have no key identifier to point to; then the name has to do.
  if (X509_get0_subject_key_id(issuer) != nullptr) {
    DM_RETURN_IF_ERROR(AddExtension(cert, &context, NID_authority_key_identifier, "keyid:always"));
  }
  if (fields.names != nullptr && X509_add1_ext_i2d(cert, NID_subject_alt_name, fields.names.get(),
                                                   0, X509V3_ADD_DEFAULT) != 1) {
    return OpensslError("adding names");
  }
  return absl::OkStatus();
}

/// Builds and signs. `issuer` is null for a certificate that signs itself.
absl::StatusOr<CertPtr> BuildCert(const Template& fields, EVP_PKEY* key, X509* issuer,
                                  EVP_PKEY* issuer_key) {
  CertPtr cert(X509_new());
  std::string serial = RandomBytes(16);
  // A set first bit would cost a 17th byte to stay positive; a clear one may cost a leading zero.
  serial[0] = static_cast<char>((serial[0] & 0x3f) | 0x40);
  const BignumPtr number(BN_bin2bn(Bytes(serial), static_cast<int>(serial.size()), nullptr));
  if (cert == nullptr || number == nullptr || X509_set_version(cert.get(), X509_VERSION_3) != 1 ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(cert.get())) == nullptr ||
      ASN1_TIME_set(X509_getm_notBefore(cert.get()), absl::ToTimeT(fields.not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(cert.get()), absl::ToTimeT(fields.not_after)) == nullptr ||
      X509_set_pubkey(cert.get(), key) != 1) {
    return OpensslError("building a certificate");
  }
  DM_RETURN_IF_ERROR(AddSubject(cert.get(), fields));
  if (issuer == nullptr) issuer = cert.get();
  if (X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer)) != 1) {
    return OpensslError("building a certificate");
  }
  DM_RETURN_IF_ERROR(AddExtensions(cert.get(), issuer, fields));
  // Ed25519 keys, which an imported authority may have, bring their own digest.
  const bool own_digest = EVP_PKEY_get_base_id(issuer_key) == EVP_PKEY_ED25519;
  if (X509_sign(cert.get(), issuer_key, own_digest ? nullptr : EVP_sha256()) == 0) {
    return OpensslError("signing a certificate");
  }
  return cert;
}

bool IsDnsName(absl::string_view name) {
  absl::ConsumePrefix(&name, "*.");
  if (name.empty() || name.size() > kMaxDnsName) return false;
  const std::vector<absl::string_view> labels = absl::StrSplit(name, '.');
  return std::all_of(labels.begin(), labels.end(), [](absl::string_view label) {
    return !label.empty() && label.size() <= kMaxDnsLabel && label.front() != '-' &&
           label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
             return absl::ascii_isalnum(c) || c == '-' || c == '_';
           });
  });
}

bool IsUri(absl::string_view text) {
  const size_t colon = text.find(':');
  return colon != absl::string_view::npos && colon > 0 && absl::ascii_isalpha(text[0]) &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isgraph(c); });
}

/// The address as a certificate holds it, 4 or 16 bytes; empty when `text` is no address.
std::string AddressBytes(const std::string& text) {
  std::array<char, 16> bytes;
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 4);
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 16);
  return "";
}

absl::Status AddName(GENERAL_NAMES* names, int type, absl::string_view value) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_STRING* text =
      ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  if (name == nullptr || text == nullptr ||
      ASN1_STRING_set(text, value.data(), static_cast<int>(value.size())) != 1 ||
      sk_GENERAL_NAME_push(names, name) == 0) {
    GENERAL_NAME_free(name);
    ASN1_STRING_free(text);
    return OpensslError("adding a name");
  }
  GENERAL_NAME_set0_value(name, type, text);
  return absl::OkStatus();
}

/// Sets the times of a certificate that `authority_end` bounds.
absl::Status SetTimes(Template& fields, absl::Duration lifetime, absl::Time authority_end,
                      const Clock& clock) {
  // Certificates know whole seconds only.
  const absl::Time now = absl::FromUnixSeconds(absl::ToUnixSeconds(clock.Now()));
  if (lifetime < absl::Seconds(1)) {
    return absl::InvalidArgumentError("the lifetime of a certificate is at least a second");
  }
  if (authority_end <= now) {
    return absl::FailedPreconditionError(
        absl::StrCat("the certificate authority expired at ", absl::FormatTime(authority_end)));
  }
  fields.not_before = now - kBackdate;
  fields.not_after = std::min(now + absl::Trunc(lifetime, absl::Seconds(1)), authority_end);
  return absl::OkStatus();
}

/// The certificate of `key` under `issuer`.
absl::StatusOr<IssuedCert> Sign(const Template& fields, EVP_PKEY* key, X509* issuer,
                                EVP_PKEY* issuer_key) {
  DM_ASSIGN_OR_RETURN(const CertPtr cert, BuildCert(fields, key, issuer, issuer_key));
  IssuedCert issued{.not_before = fields.not_before, .not_after = fields.not_after};
  DM_ASSIGN_OR_RETURN(issued.cert_pem, CertPem(cert.get()));
  DM_ASSIGN_OR_RETURN(const CertInfo info, CertInfo::Parse(issued.cert_pem));
  issued.serial = info.serial;
  return issued;
}

/// A new key and its certificate under `issuer`.
absl::StatusOr<IssuedCert> Issue(const Template& fields, X509* issuer, EVP_PKEY* issuer_key) {
  DM_ASSIGN_OR_RETURN(const KeyPtr key, NewKey());
  DM_ASSIGN_OR_RETURN(IssuedCert issued, Sign(fields, key.get(), issuer, issuer_key));
  DM_ASSIGN_OR_RETURN(issued.key_pem, KeyPem(key.get()));
  return issued;
}

absl::StatusOr<Template> ServerTemplate(const std::vector<std::string>& names,
                                        const std::string& organization, ServerUse use) {
  if (names.empty()) return absl::InvalidArgumentError("a server certificate needs a name");
  Template fields{
      .organization = organization,
      .names = NamesPtr(GENERAL_NAMES_new()),
      .extended_key_usage = use == ServerUse::kServer ? "serverAuth" : "serverAuth,clientAuth"};
  // Clients look at the names below; this one is for people.
  if (names[0].size() <= kMaxSubjectPart) fields.common_name = names[0];
  for (const std::string& name : names) {
    const std::string address = AddressBytes(name);
    if (!address.empty()) {
      DM_RETURN_IF_ERROR(AddName(fields.names.get(), GEN_IPADD, address));
    } else if (IsDnsName(name)) {
      DM_RETURN_IF_ERROR(AddName(fields.names.get(), GEN_DNS, name));
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("neither an IP address nor a host name: \"", absl::CHexEscape(name), "\""));
    }
  }
  return fields;
}

/// All of a client's certificate but its times.
absl::StatusOr<Template> ClientTemplate(const ClientIdentity& identity) {
  Template fields{.common_name = identity.common_name,
                  .organization = identity.organization,
                  .extended_key_usage = "clientAuth"};
  if (identity.uri.has_value()) {
    if (!IsUri(*identity.uri)) {
      return absl::InvalidArgumentError(
          absl::StrCat("not a URI: \"", absl::CHexEscape(*identity.uri), "\""));
    }
    fields.names.reset(GENERAL_NAMES_new());
    DM_RETURN_IF_ERROR(AddName(fields.names.get(), GEN_URI, *identity.uri));
  } else if (identity.common_name.empty() && identity.organization.empty()) {
    return absl::InvalidArgumentError("a client certificate needs a name");
  }
  return fields;
}

/// The public key of a request, which has to be one that TLS still takes.
absl::StatusOr<KeyPtr> KeyOfRequest(absl::string_view request_pem) {
  const BioPtr bio = ReadBio(request_pem);
  const RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  KeyPtr key(request == nullptr ? nullptr : X509_REQ_get_pubkey(request.get()));
  const bool signed_by_itself = key != nullptr && X509_REQ_verify(request.get(), key.get()) == 1;
  ERR_clear_error();
  if (key == nullptr) return absl::InvalidArgumentError("not a PKCS #10 certificate request");
  if (!signed_by_itself) {
    return absl::InvalidArgumentError("the certificate request is not signed with its own key");
  }
  if (EVP_PKEY_get_security_bits(key.get()) < kMinSecurityBits) {
    return absl::InvalidArgumentError("the key of the certificate request is too short");
  }
  return key;
}

}  // namespace

absl::StatusOr<CertAuthority> CertAuthority::Create(absl::string_view organization,
                                                    absl::Duration lifetime, const Clock& clock) {
  if (organization.empty()) return absl::InvalidArgumentError("an authority needs a name");
  Template fields{.organization = std::string(organization),
                  .basic_constraints = "critical,CA:TRUE,pathlen:0",
                  .key_usage = "critical,keyCertSign,cRLSign"};
  DM_RETURN_IF_ERROR(SetTimes(fields, lifetime, absl::InfiniteFuture(), clock));
  DM_ASSIGN_OR_RETURN(const KeyPtr key, NewKey());
  DM_ASSIGN_OR_RETURN(const CertPtr cert, BuildCert(fields, key.get(), nullptr, key.get()));
  DM_ASSIGN_OR_RETURN(const std::string cert_pem, CertPem(cert.get()));
  DM_ASSIGN_OR_RETURN(const SecretString key_pem, KeyPem(key.get()));
  return FromPem(cert_pem, key_pem.view(), clock);
}

absl::StatusOr<CertAuthority> CertAuthority::FromPem(absl::string_view cert_pem,
                                                     absl::string_view key_pem,
                                                     const Clock& clock) {
  auto state = std::make_shared<State>();
  DM_ASSIGN_OR_RETURN(state->cert, CertFromPem(cert_pem));
  DM_ASSIGN_OR_RETURN(state->key, KeyFromPem(key_pem));
  DM_ASSIGN_OR_RETURN(CertInfo info, CertInfo::Parse(cert_pem));
  if (!info.is_ca) {
    return absl::InvalidArgumentError("the certificate is not a certificate authority's");
  }
  DM_RETURN_IF_ERROR(KeyMatchesCert(key_pem, cert_pem));
  state->not_after = info.not_after;
  state->organization = std::move(info.organization);
  // Written anew: the given texts may hold more than these two.
  DM_ASSIGN_OR_RETURN(state->cert_pem, CertPem(state->cert.get()));
  DM_ASSIGN_OR_RETURN(state->key_pem, KeyPem(state->key.get()));
  state->clock = &clock;
  return CertAuthority(std::move(state));
}

absl::StatusOr<IssuedCert> CertAuthority::IssueServer(const std::vector<std::string>& names,
                                                      absl::Duration lifetime,
                                                      ServerUse use) const {
  DM_ASSIGN_OR_RETURN(Template fields, ServerTemplate(names, state_->organization, use));
  DM_RETURN_IF_ERROR(SetTimes(fields, lifetime, state_->not_after, *state_->clock));
  return Issue(fields, state_->cert.get(), state_->key.get());
}

absl::StatusOr<IssuedCert> CertAuthority::SignServerRequest(absl::string_view request_pem,
                                                            const std::vector<std::string>& names,
                                                            absl::Duration lifetime) const {
  DM_ASSIGN_OR_RETURN(const KeyPtr key, KeyOfRequest(request_pem));
  DM_ASSIGN_OR_RETURN(Template fields,
                      ServerTemplate(names, state_->organization, ServerUse::kServer));
  DM_RETURN_IF_ERROR(SetTimes(fields, lifetime, state_->not_after, *state_->clock));
  return Sign(fields, key.get(), state_->cert.get(), state_->key.get());
}

absl::StatusOr<IssuedCert> CertAuthority::IssueClient(const ClientIdentity& identity,
                                                      absl::Duration lifetime) const {
  DM_ASSIGN_OR_RETURN(Template fields, ClientTemplate(identity));
  DM_RETURN_IF_ERROR(SetTimes(fields, lifetime, state_->not_after, *state_->clock));
  return Issue(fields, state_->cert.get(), state_->key.get());
}

absl::StatusOr<IssuedCert> CertAuthority::SignClientRequest(absl::string_view request_pem,
                                                            const ClientIdentity& identity,
                                                            absl::Duration lifetime) const {
  DM_ASSIGN_OR_RETURN(const KeyPtr key, KeyOfRequest(request_pem));
  DM_ASSIGN_OR_RETURN(Template fields, ClientTemplate(identity));
  DM_RETURN_IF_ERROR(SetTimes(fields, lifetime, state_->not_after, *state_->clock));
  return Sign(fields, key.get(), state_->cert.get(), state_->key.get());
}

absl::StatusOr<CertRequest> MakeCertRequest(absl::string_view key_pem) {
  DM_ASSIGN_OR_RETURN(const KeyPtr key, key_pem.empty() ? NewKey() : KeyFromPem(key_pem));
  const RequestPtr request(X509_REQ_new());
  const BioPtr bio(BIO_new(BIO_s_mem()));
  const bool own_digest = EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_ED25519;
  if (request == nullptr || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), own_digest ? nullptr : EVP_sha256()) == 0 ||
      PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1) {
    return OpensslError("making a certificate request");
  }
  CertRequest made;
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);  // NOLINT(google-runtime-int)
  made.request_pem = std::string(data, static_cast<size_t>(size));
  DM_ASSIGN_OR_RETURN(made.key_pem, KeyPem(key.get()));
  return made;
}

const std::string& CertAuthority::cert_pem() const { return state_->cert_pem; }
const SecretString& CertAuthority::key_pem() const { return state_->key_pem; }
absl::Time CertAuthority::not_after() const { return state_->not_after; }

}  // namespace machine::common
