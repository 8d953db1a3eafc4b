#include "services/orchestrator/certs/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/random.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;

SecretVault NewVault() {
  return SecretVault(*common::SealingKey::FromBytes(common::SecretString(common::RandomBytes(32))));
}

class CertificatesTest : public testing::Test {
 protected:
  ClientBundle Own() {
    absl::StatusOr<ClientBundle> bundle = certificates_->OwnClientBundle();
    EXPECT_TRUE(bundle.ok()) << bundle.status();
    return *std::move(bundle);
  }

  void Restart() { certificates_ = std::make_unique<Certificates>(*store_, vault_, clock_); }

  common::FakeClock clock_;
  const std::string folder_ = NewTestFolder();
  const SecretVault vault_ = NewVault();
  std::unique_ptr<SqliteStore> store_ =
      *SqliteStore::Open(absl::StrCat(folder_, "/store.db"), clock_);
  std::unique_ptr<Certificates> certificates_ =
      std::make_unique<Certificates>(*store_, vault_, clock_);
};

TEST_F(CertificatesTest, TheClientCertificateIsSignedByTheAuthorityAndHasItsKey) {
  const ClientBundle bundle = Own();
  EXPECT_TRUE(common::VerifySignedBy(bundle.cert_pem, bundle.ca_pem).ok());
  EXPECT_TRUE(common::KeyMatchesCert(bundle.key_pem, bundle.cert_pem).ok());
  const common::CertInfo ca = *common::CertInfo::Parse(bundle.ca_pem);
  EXPECT_TRUE(ca.is_ca);
  EXPECT_TRUE(absl::StrContains(ca.subject, store_->orchestrator_id()));
  const common::CertInfo client = *common::CertInfo::Parse(bundle.cert_pem);
  EXPECT_EQ(client.common_name, "orchestrator");
  EXPECT_THAT(client.uris, ElementsAre());
}

TEST_F(CertificatesTest, TwentyFirstCallsAtOnceMakeOneAuthorityAndOneCertificate) {
  // Two objects: as two orchestrators on one store would.
  Certificates other(*store_, vault_, clock_);
  std::vector<ClientBundle> bundles(20);
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; ++i) {
    threads.emplace_back([&, i] {
      absl::StatusOr<ClientBundle> bundle =
          (i % 2 == 0 ? *certificates_ : other).BundleOf(absl::StrCat("user", i % 4));
      ASSERT_TRUE(bundle.ok()) << bundle.status();
      bundles[i] = *std::move(bundle);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> authorities;
  std::set<std::string> clients;
  for (const ClientBundle& bundle : bundles) {
    authorities.insert(bundle.ca_pem);
    clients.insert(bundle.cert_pem);
    EXPECT_TRUE(common::VerifySignedBy(bundle.cert_pem, bundle.ca_pem).ok());
    EXPECT_TRUE(common::KeyMatchesCert(bundle.key_pem, bundle.cert_pem).ok());
  }
  EXPECT_EQ(authorities.size(), 1U);
  EXPECT_EQ(clients.size(), 4U);
}

TEST_F(CertificatesTest, ARestartChangesNothing) {
  const ClientBundle before = Own();
  Restart();
  const ClientBundle after = Own();
  EXPECT_EQ(after.ca_pem, before.ca_pem);
  EXPECT_EQ(after.cert_pem, before.cert_pem);
  EXPECT_EQ(after.key_pem, before.key_pem);
  EXPECT_EQ(after.not_after, before.not_after);
}

TEST_F(CertificatesTest, AClientCertificateIsRenewedWhenLessThanAThirdOfItsLifeIsLeft) {
  const ClientBundle first = Own();
  const absl::Duration third = (first.not_after - first.not_before) / 3;
  clock_.Advance(first.not_after - clock_.Now() - third);
  EXPECT_EQ(Own().cert_pem, first.cert_pem);
  clock_.Advance(absl::Seconds(1));
  const ClientBundle second = Own();
  EXPECT_NE(second.cert_pem, first.cert_pem);
  EXPECT_EQ(second.ca_pem, first.ca_pem);
  EXPECT_EQ(Own().cert_pem, second.cert_pem);
  Restart();
  EXPECT_EQ(Own().cert_pem, second.cert_pem);
}

TEST_F(CertificatesTest, AServerCertificateNamesAllAndLastsNoLongerThanClientsAccept) {
  const auto issued = certificates_->IssueServer({"192.0.2.1", "::1", "dev.example.org"});
  ASSERT_TRUE(issued.ok()) << issued.status();
  const common::CertInfo info = *common::CertInfo::Parse(issued->cert_pem);
  EXPECT_THAT(info.ip_addresses, ElementsAre("192.0.2.1", "::1"));
  EXPECT_THAT(info.dns_names, ElementsAre("dev.example.org"));
  EXPECT_LE(info.not_after - info.not_before, absl::Hours(24 * 825));
  EXPECT_EQ(info.not_after, issued->not_after);
  EXPECT_TRUE(common::VerifySignedBy(issued->cert_pem, Own().ca_pem).ok());
  EXPECT_TRUE(common::KeyMatchesCert(issued->key_pem, issued->cert_pem).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(certificates_->IssueServer({"not a name"}).status()));
}

TEST_F(CertificatesTest, AServerCertificateNeedsRenewalWhenOldForeignOrNone) {
  const std::string cert = certificates_->IssueServer({"dev"})->cert_pem;
  EXPECT_FALSE(certificates_->NeedsRenewal(cert));
  EXPECT_TRUE(certificates_->NeedsRenewal("none"));
  const auto foreign = common::CertAuthority::Create("other", kCaLifetime, clock_);
  EXPECT_TRUE(
      certificates_->NeedsRenewal(foreign->IssueServer({"dev"}, kServerLifetime)->cert_pem));
  clock_.Advance(kServerLifetime * 2 / 3 + absl::Hours(1));
  EXPECT_TRUE(certificates_->NeedsRenewal(cert));
}

TEST_F(CertificatesTest, AShortLifeIsRenewedInItsLastThird) {
  const auto issued = certificates_->IssueServer({"dev"}, absl::Minutes(3));
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_FALSE(certificates_->NeedsRenewal(issued->cert_pem, absl::Minutes(3)));
  clock_.Advance(issued->not_after - clock_.Now() - absl::Seconds(61));
  EXPECT_FALSE(certificates_->NeedsRenewal(issued->cert_pem, absl::Minutes(3)));
  clock_.Advance(absl::Seconds(2));
  EXPECT_TRUE(certificates_->NeedsRenewal(issued->cert_pem, absl::Minutes(3)));
}

TEST_F(CertificatesTest, AUsersCertificateLastsForAWorkingDayAndIsNotKept) {
  const absl::StatusOr<ClientBundle> first = certificates_->ShortLivedBundle("ada");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(common::CertInfo::Parse(first->cert_pem)->common_name, "ada");
  EXPECT_TRUE(common::VerifySignedBy(first->cert_pem, Own().ca_pem).ok());
  EXPECT_TRUE(common::KeyMatchesCert(first->key_pem, first->cert_pem).ok());
  EXPECT_GT(first->not_after, clock_.Now());
  EXPECT_LE(first->not_after, clock_.Now() + absl::Hours(12));
  const absl::StatusOr<ClientBundle> second = certificates_->ShortLivedBundle("ada");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(second->cert_pem, first->cert_pem);
}

TEST_F(CertificatesTest, AClientsCertificateIsRenewedWhenAskedFor) {
  const ClientBundle first = Own();
  ASSERT_TRUE(certificates_->RenewOwnClientBundle().ok());
  const ClientBundle second = Own();
  EXPECT_NE(second.cert_pem, first.cert_pem);
  EXPECT_EQ(second.ca_pem, first.ca_pem);
  Restart();
  EXPECT_EQ(Own().cert_pem, second.cert_pem);
}

TEST_F(CertificatesTest, ACertificateThatEndsWithItsAuthorityIsNotRenewedInVain) {
  Own();
  clock_.Advance(kCaLifetime - absl::Hours(24));
  const ClientBundle last = Own();
  EXPECT_EQ(last.not_after, certificates_->Ca()->not_after());
  clock_.Advance(absl::Hours(23));
  EXPECT_EQ(Own().cert_pem, last.cert_pem);
  clock_.Advance(absl::Hours(2));
  const absl::Status expired = certificates_->OwnClientBundle().status();
  EXPECT_EQ(expired.code(), absl::StatusCode::kFailedPrecondition) << expired;
}

TEST_F(CertificatesTest, TheKeysAreSealedInTheStore) {
  const ClientBundle bundle = Own();
  for (const absl::string_view name : {"ca", "client/orchestrator"}) {
    ASSERT_TRUE(store_
                    ->Read([&](StoreReader& reader) -> absl::Status {
                      DM_ASSIGN_OR_RETURN(const auto record, reader.FindCertificate(name));
                      EXPECT_TRUE(record.has_value());
                      EXPECT_FALSE(absl::StrContains(record->SerializeAsString(), "PRIVATE KEY"));
                      return absl::OkStatus();
                    })
                    .ok());
  }
  const SecretVault wrong = NewVault();
  Certificates other(*store_, wrong, clock_);
  EXPECT_EQ(common::ReasonOf(other.OwnClientBundle().status()),
            machine::v1::ERROR_REASON_STORE_CORRUPT);
}

}  // namespace
}  // namespace machine::orchestrator
