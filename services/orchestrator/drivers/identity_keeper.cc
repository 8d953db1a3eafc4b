#include "services/orchestrator/drivers/identity_keeper.h"

#include <algorithm>
#include <utility>

#include "driver/v1/identity.grpc.pb.h"
#include "services/common/crypto/certificates.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kShortestInterval = absl::Seconds(1);
constexpr absl::Duration kLongestInterval = absl::Hours(1);
constexpr absl::Duration kRenewalTimeout = absl::Seconds(10);

}  // namespace

void IdentityKeeper::Start() {
  executor_.Run([this] { Tick(); });
}

void IdentityKeeper::Tick() {
  if (stopping_) return;
  const absl::Status status = Look();
  if (!status.ok()) {
    log_.Warning("the certificates of drivers cannot be looked at",
                 {{"error", std::string(status.message())}});
  }
  executor_.RunAfter(std::clamp(authority_.lifetime() / 12, kShortestInterval, kLongestInterval),
                     [this] { Tick(); });
}

void IdentityKeeper::Apply(const StoreChanges& changes) {
  if (changes.drivers.empty()) return;
  executor_.Run([this] {
    if (!stopping_) Look().IgnoreError();  // The next one says what is wrong.
  });
}

absl::Status IdentityKeeper::Look() {
  absl::MutexLock one_at_a_time(&look_mu_);
  std::vector<DriverRecord> records;
  DM_RETURN_IF_ERROR(store_.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(records, reader.ListDrivers());
    return absl::OkStatus();
  }));
  std::erase_if(records, [](const DriverRecord& record) { return record.ca_pem().empty(); });
  {
    absl::MutexLock lock(&mu_);
    std::erase_if(identities_, [&](const auto& known) {
      return std::none_of(records.begin(), records.end(),
                          [&](const DriverRecord& record) { return record.name() == known.first; });
    });
  }
  if (records.empty()) return absl::OkStatus();
  // Of several orchestrators one renews: two requests to a driver would be in each other's way.
  const absl::StatusOr<bool> ours = store_.TakeRole("certificates");
  for (const DriverRecord& record : records) {
    machine::v1::DriverIdentity identity;
    {
      absl::MutexLock lock(&mu_);
      identity = identities_[record.name()];
    }
    identity.set_driver(record.name());
    LookAt(record, ours.ok() && *ours, identity);
    absl::MutexLock lock(&mu_);
    identities_[record.name()] = std::move(identity);
  }
  return absl::OkStatus();
}

void IdentityKeeper::LookAt(const DriverRecord& record, bool ours,
                            machine::v1::DriverIdentity& identity) const {
  const auto fail = [&](const absl::Status& status) {
    identity.set_error(std::string(status.message()));
  };
  identity.clear_error();
  const auto driver = drivers_.Dial(record);
  if (!driver.ok()) return fail(driver.status());
  const absl::StatusOr<common::CertInfo> shown =
      common::CertInfo::Parse((*driver)->certificate_pem());
  if (!shown.ok()) return fail(shown.status());
  const absl::StatusOr<std::string> own_ca = authority_.CaPem();
  if (!own_ca.ok()) return fail(own_ca.status());
  identity.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(shown->not_after));
  // One that was issued with a longer life is not renewed at once.
  const absl::Duration lifetime =
      std::min(authority_.lifetime(), shown->not_after - shown->not_before);
  identity.set_due(shown->not_after - clock_.Now() < lifetime / 3);
  const bool issued_here = common::VerifySignedBy((*driver)->certificate_pem(), *own_ca).ok();
  identity.set_renewed_automatically(issued_here);
  if (!issued_here || !identity.due() || !ours) return;
  // It never outlives its authority.
  const absl::StatusOr<common::CertInfo> authority = common::CertInfo::Parse(*own_ca);
  if (authority.ok() && shown->not_after >= authority->not_after) {
    return fail(absl::FailedPreconditionError("the orchestrator's authority for drivers ends"));
  }
  std::vector<std::string> hosts = shown->dns_names;
  hosts.insert(hosts.end(), shown->ip_addresses.begin(), shown->ip_addresses.end());
  const absl::StatusOr<absl::Time> renewed = Renew(**driver, hosts);
  if (renewed.ok()) {
    identity.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(*renewed));
    identity.set_due(false);
    log_.Info("renewed the certificate of a driver",
              {{"driver", record.name()}, {"expires", absl::FormatTime(*renewed)}});
    return;
  }
  identity.set_renewed_automatically(!absl::IsUnimplemented(renewed.status()));
  fail(absl::IsUnimplemented(renewed.status())
           ? absl::UnimplementedError("the driver does not renew its certificate by itself")
           : renewed.status());
  log_.Warning("the certificate of a driver cannot be renewed",
               {{"driver", record.name()},
                {"expires", absl::FormatTime(shown->not_after)},
                {"error", identity.error()}});
}

absl::StatusOr<absl::Time> IdentityKeeper::Renew(const DriverConnection& driver,
                                                 const std::vector<std::string>& hosts) const {
  const auto stub = ::driver::v1::Identity::NewStub(driver.channel().grpc());
  ::driver::v1::MakeCertificateRequestResponse made;
  grpc::ClientContext request_context;
  driver.channel().Prepare(request_context, kRenewalTimeout);
  DM_RETURN_IF_ERROR(
      common::FromGrpcStatus(stub->MakeCertificateRequest(&request_context, {}, &made)));
  DM_ASSIGN_OR_RETURN(const common::IssuedCert issued,
                      authority_.IssueDriver(made.request_pem(), hosts));
  ::driver::v1::InstallCertificateRequest install;
  install.set_cert_pem(issued.cert_pem);
  google::protobuf::Empty done;
  grpc::ClientContext install_context;
  driver.channel().Prepare(install_context, kRenewalTimeout);
  DM_RETURN_IF_ERROR(
      common::FromGrpcStatus(stub->InstallCertificate(&install_context, install, &done)));
  return issued.not_after;
}

std::vector<machine::v1::DriverIdentity> IdentityKeeper::List() const {
  absl::MutexLock lock(&mu_);
  std::vector<machine::v1::DriverIdentity> list;
  list.reserve(identities_.size());
  for (const auto& [name, identity] : identities_) list.push_back(identity);
  return list;
}

}  // namespace machine::orchestrator
