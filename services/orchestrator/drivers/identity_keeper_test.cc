#include "services/orchestrator/drivers/identity_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "driver/v1/driver.grpc.pb.h"
#include "services/common/crypto/certificates.h"
#include "services/common/crypto/random.h"
#include "services/common/file/file.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/identity.h"
#include "services/common/rpc/server.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kShort = absl::Hours(1);

// As far as the orchestrator speaks with a driver at a registration.
class FakeDriver final : public ::driver::v1::Driver::Service {
 public:
  grpc::Status Handshake(grpc::ServerContext*, const ::driver::v1::HandshakeRequest*,
                         ::driver::v1::HandshakeResponse* response) override {
    response->set_api(1);
    response->set_driver_version("1.2.3");
    return grpc::Status::OK;
  }
  grpc::Status GetCreateFlags(grpc::ServerContext*, const ::driver::v1::GetCreateFlagsRequest*,
                              ::driver::v1::GetCreateFlagsResponse*) override {
    return grpc::Status::OK;
  }
};

class OpenGuard final : public common::CallGuard {
 public:
  absl::Status Admit(absl::string_view, const grpc::AuthContext&) override {
    return absl::OkStatus();
  }
  std::unique_ptr<grpc::experimental::Interceptor> Follow(
      grpc::experimental::ServerRpcInfo&) override {
    return nullptr;
  }
};

class IdentityKeeperTest : public testing::Test {
 protected:
  enum class Renews { kYes, kNo };

  // A driver that was enrolled with a certificate that lasts kShort.
  void Enrol(Renews renews) {
    DriverAuthority enrolling(*store_, vault_, common::Clock::Real(), kShort);
    const common::CertRequest request = *common::MakeCertRequest();
    const common::IssuedCert issued =
        *enrolling.IssueDriver(request.request_pem, {"127.0.0.1", "lab.example.org"});
    Write("cert.pem", issued.cert_pem);
    Write("key.pem", request.key_pem.view());
    Write("ca.pem", *authority_.CaPem());
    const common::RpcServerTls tls{.address = "127.0.0.1:0",
                                   .cert_path = Path("cert.pem"),
                                   .key_path = Path("key.pem"),
                                   .client_ca_path = Path("ca.pem")};
    files_.emplace(tls);
    identity_.emplace(*files_);
    common::RpcServerOptions options;
    options.tls = tls;
    options.guard = &guard_;
    options.services = {&driver_};
    if (renews == Renews::kYes) options.services.push_back(&*identity_);
    server_ = *common::RpcServer::Start(options);
    machine::v1::RegisterDriverRequest registration;
    registration.set_name("lab");
    registration.set_address(server_->tls_address());
    registration.set_ca_pem(*authority_.CaPem());
    const auto registered = drivers_.Register(registration);
    ASSERT_TRUE(registered.ok()) << registered.status();
  }

  machine::v1::DriverIdentity Look() {
    EXPECT_EQ(keeper_.Look(), absl::OkStatus());
    const auto list = keeper_.List();
    EXPECT_EQ(list.size(), 1);
    return list.empty() ? machine::v1::DriverIdentity() : list[0];
  }

  std::string Path(const std::string& name) const { return absl::StrCat(folder_, "/", name); }
  void Write(const std::string& name, absl::string_view text) const {
    ASSERT_EQ(common::WriteFileAtomically(Path(name), text, 0600), absl::OkStatus());
  }
  std::string Stored() const { return common::ReadFile(Path("cert.pem")).value_or(""); }

  common::FakeClock clock_{absl::Now()};
  const std::string folder_ = NewTestFolder();
  const SecretVault vault_{
      *common::SealingKey::FromBytes(common::SecretString(common::RandomBytes(32)))};
  const std::unique_ptr<SqliteStore> store_ =
      *SqliteStore::Open(absl::StrCat(folder_, "/store.db"), clock_);
  // TLS knows no other clock than the real one.
  DriverAuthority authority_{*store_, vault_};
  const common::Logger log_{common::Severity::kError, "test"};
  common::Metrics metrics_;
  common::Executor executor_{4};
  Supervisor supervisor_{{.libexec_dir = folder_, .runtime_dir = folder_},
                         executor_,
                         metrics_,
                         log_,
                         common::Clock::Real()};
  DriverRegistry drivers_{supervisor_, *store_, vault_, authority_, executor_, "test"};
  IdentityKeeper keeper_{drivers_, *store_, authority_, executor_, log_, clock_};
  OpenGuard guard_;
  FakeDriver driver_;
  std::optional<common::IdentityFiles> files_;
  std::optional<common::IdentityService> identity_;
  std::unique_ptr<common::RpcServer> server_;
};

TEST_F(IdentityKeeperTest, ACertificateIsRenewedInItsLastThirdForItsOldNames) {
  Enrol(Renews::kYes);
  const std::string first = Stored();
  const auto fresh = Look();
  EXPECT_EQ(fresh.driver(), "lab");
  EXPECT_TRUE(fresh.renewed_automatically());
  EXPECT_FALSE(fresh.due());
  EXPECT_EQ(fresh.error(), "");
  EXPECT_EQ(absl::FromUnixSeconds(fresh.expire_time().seconds()),
            common::CertInfo::Parse(first)->not_after);
  EXPECT_EQ(Stored(), first);

  clock_.Advance(kShort * 3 / 4);
  const auto renewed = Look();
  const std::string second = Stored();
  EXPECT_NE(second, first);
  EXPECT_FALSE(renewed.due());
  EXPECT_EQ(renewed.error(), "");
  const common::CertInfo info = *common::CertInfo::Parse(second);
  EXPECT_EQ(absl::FromUnixSeconds(renewed.expire_time().seconds()), info.not_after);
  EXPECT_GT(info.not_after, absl::Now() + kDriverLifetime - kShort);
  EXPECT_EQ(info.dns_names, common::CertInfo::Parse(first)->dns_names);
  EXPECT_EQ(info.ip_addresses, common::CertInfo::Parse(first)->ip_addresses);
}

TEST_F(IdentityKeeperTest, OneThatCannotRenewIsToldOfInTime) {
  Enrol(Renews::kNo);
  EXPECT_FALSE(Look().due());
  clock_.Advance(kShort * 3 / 4);
  const std::string first = Stored();
  const auto identity = Look();
  EXPECT_TRUE(identity.due());
  EXPECT_FALSE(identity.renewed_automatically());
  EXPECT_THAT(identity.error(), HasSubstr("does not renew"));
  EXPECT_EQ(Stored(), first);
}

TEST_F(IdentityKeeperTest, OneThatIsAwayKeepsWhatWasSeenAndOneThatIsForgottenGoes) {
  Enrol(Renews::kYes);
  const auto seen = Look();
  server_->Shutdown(absl::ZeroDuration());
  const auto away = Look();
  EXPECT_EQ(away.expire_time().seconds(), seen.expire_time().seconds());
  EXPECT_NE(away.error(), "");
  ASSERT_EQ(drivers_.Unregister("lab"), absl::OkStatus());
  EXPECT_EQ(keeper_.Look(), absl::OkStatus());
  EXPECT_TRUE(keeper_.List().empty());
}

}  // namespace
}  // namespace machine::orchestrator
