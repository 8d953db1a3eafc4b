#include "services/orchestrator/drivers/registry.h"

#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/common/version/version.h"

namespace machine::orchestrator {
namespace {

constexpr char kDriverPrefix[] = "machine-driver-";
constexpr char kProvisionerProgram[] = "machine-provisioner";
constexpr int kApi = 1;
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(5);
constexpr absl::Duration kFlagsTimeout = absl::Seconds(10);
constexpr char kClientKeySecret[] = "client_key";

absl::Status UnknownDriver(absl::string_view name) {
  return common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_DRIVER_NOT_FOUND,
                       absl::StrCat("Driver \"", name, "\" not found"),
                       {{"driver", std::string(name)}});
}

std::string ShownCertificate(const grpc::ClientContext& context) {
  const auto shown = context.auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return shown.empty() ? "" : std::string(shown[0].data(), shown[0].size());
}

std::string SecretOwner(absl::string_view driver) { return absl::StrCat("drivers/", driver); }

}  // namespace

DriverConnection::DriverConnection(common::Channel channel, std::shared_ptr<Child> child,
                                   ::driver::v1::HandshakeResponse handshake,
                                   std::vector<machine::v1::FlagSpec> flags,
                                   std::string certificate_pem)
    : channel_(std::move(channel)),
      child_(std::move(child)),
      stub_(::driver::v1::Driver::NewStub(channel_.grpc())),
      handshake_(std::move(handshake)),
      flags_(std::move(flags)),
      certificate_pem_(std::move(certificate_pem)) {}

bool DriverConnection::Can(::driver::v1::Capability capability) const {
  const auto& capabilities = handshake_.capabilities();
  return std::find(capabilities.begin(), capabilities.end(), capability) != capabilities.end();
}

ProvisionerConnection::ProvisionerConnection(common::Channel channel, std::shared_ptr<Child> child)
    : channel_(std::move(channel)),
      child_(std::move(child)),
      stub_(::provisioner::v1::Provisioner::NewStub(channel_.grpc())) {}

DriverRegistry::DriverRegistry(Supervisor& supervisor, Store& store, const SecretVault& vault,
                               DriverAuthority& authority, common::Executor& executor,
                               std::string orchestrator_id)
    : supervisor_(supervisor),
      store_(store),
      vault_(vault),
      authority_(authority),
      executor_(executor),
      orchestrator_id_(std::move(orchestrator_id)) {}

namespace {

machine::v1::DriverInfo::State StateOf(const DriverConnection& connection) {
  switch (connection.channel().grpc()->GetState(/*try_to_connect=*/false)) {
    case GRPC_CHANNEL_READY:
      return machine::v1::DriverInfo::READY;
    case GRPC_CHANNEL_TRANSIENT_FAILURE:
      return machine::v1::DriverInfo::BACKOFF;
    default:
      return machine::v1::DriverInfo::ABSENT;
  }
}

}  // namespace

std::shared_ptr<DriverRegistry::Entry> DriverRegistry::EntryOf(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  std::shared_ptr<Entry>& entry = entries_[std::string(name)];
  if (entry == nullptr) {
    entry = std::make_shared<Entry>();
    entry->strand = std::make_shared<common::Strand>(executor_);
  }
  return entry;
}

void DriverRegistry::GetDriver(absl::string_view name, DriverReady ready) {
  // Names come from users and become part of a file name.
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
  if (name.empty() || !plain) {
    executor_.Run(
        [ready = std::move(ready), status = UnknownDriver(name)]() mutable { ready(status); });
    return;
  }
  const std::shared_ptr<Entry> entry = EntryOf(name);
  {
    absl::MutexLock lock(&mu_);
    if (entry->connection != nullptr && entry->connection->alive()) {
      executor_.Run([ready = std::move(ready), connection = entry->connection]() mutable {
        ready(connection);
      });
      return;
    }
  }
  entry->strand->Run([this, name = std::string(name), entry, ready = std::move(ready)]() mutable {
    supervisor_.Get(absl::StrCat(kDriverPrefix, name),
                    [this, name, entry, ready = std::move(ready)](
                        absl::StatusOr<std::shared_ptr<Child>> child) mutable {
                      entry->strand->Run([this, name, entry, child = std::move(child),
                                          ready = std::move(ready)]() mutable {
                        Connect(name, entry, std::move(child), std::move(ready));
                      });
                    });
  });
}

void DriverRegistry::Connect(const std::string& name, const std::shared_ptr<Entry>& entry,
                             absl::StatusOr<std::shared_ptr<Child>> child, DriverReady ready) {
  {
    absl::MutexLock lock(&mu_);
    if (entry->connection != nullptr && entry->connection->alive()) {
      executor_.Run([ready = std::move(ready), connection = entry->connection]() mutable {
        ready(connection);
      });
      return;
    }
  }
  absl::StatusOr<std::shared_ptr<DriverConnection>> connection = UnknownDriver(name);
  if (child.ok()) {
    connection = Handshake(name, (*child)->channel(), *child);
  } else if (common::ReasonOf(child.status()) != machine::v1::ERROR_REASON_DRIVER_NOT_FOUND) {
    connection = child.status();
  } else {
    std::vector<DriverRecord> records;
    const absl::Status status = store_.Read([&](StoreReader& reader) -> absl::Status {
      DM_ASSIGN_OR_RETURN(records, reader.ListDrivers());
      return absl::OkStatus();
    });
    if (!status.ok()) connection = status;
    for (const DriverRecord& record : records) {
      if (record.name() != name) continue;
      connection = Dial(record);
    }
  }
  if (connection.ok()) {
    absl::MutexLock lock(&mu_);
    entry->connection = *connection;
  }
  executor_.Run([ready = std::move(ready), connection = std::move(connection)]() mutable {
    ready(std::move(connection));
  });
}

absl::StatusOr<std::shared_ptr<DriverConnection>> DriverRegistry::Handshake(
    const std::string& name, common::Channel channel, std::shared_ptr<Child> child) const {
  const auto stub = ::driver::v1::Driver::NewStub(channel.grpc());
  ::driver::v1::HandshakeRequest request;
  request.set_min_api(kApi);
  request.set_max_api(kApi);
  request.set_orchestrator_id(orchestrator_id_);
  request.set_orchestrator_version(common::kVersion);
  ::driver::v1::HandshakeResponse handshake;
  grpc::ClientContext context;
  channel.Prepare(context, kHandshakeTimeout);
  DM_RETURN_IF_ERROR(
      common::Annotate(common::FromGrpcStatus(stub->Handshake(&context, request, &handshake)),
                       absl::StrCat("driver ", name)));
  if (handshake.api() != kApi) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_DRIVER_API_MISMATCH,
                         absl::StrCat("driver ", name, " ", handshake.driver_version(),
                                      " answers by API ", handshake.api(), ", this orchestrator ",
                                      common::kVersion, " asked for ", kApi),
                         {{"driver", name}});
  }
  std::string certificate_pem = ShownCertificate(context);
  ::driver::v1::GetCreateFlagsResponse flags;
  grpc::ClientContext flags_context;
  channel.Prepare(flags_context, kFlagsTimeout);
  DM_RETURN_IF_ERROR(
      common::Annotate(common::FromGrpcStatus(stub->GetCreateFlags(&flags_context, {}, &flags)),
                       absl::StrCat("driver ", name)));
  return std::make_shared<DriverConnection>(
      std::move(channel), std::move(child), std::move(handshake),
      std::vector<machine::v1::FlagSpec>(flags.flags().begin(), flags.flags().end()),
      std::move(certificate_pem));
}

absl::StatusOr<std::shared_ptr<DriverConnection>> DriverRegistry::Dial(
    const DriverRecord& record) const {
  DM_ASSIGN_OR_RETURN(common::Channel channel, RemoteChannel(record));
  return Handshake(record.name(), std::move(channel), nullptr);
}

absl::StatusOr<common::Channel> DriverRegistry::RemoteChannel(const DriverRecord& record) const {
  if (record.ca_pem().empty()) return common::Channel::InsecureLoopback(record.address());
  if (record.client_cert_pem().empty()) {
    DM_ASSIGN_OR_RETURN(const common::IssuedCert own, authority_.IssueCaller());
    return common::Channel::Tls(record.address(),
                                {.ca_pem = record.ca_pem(),
                                 .client_cert_pem = own.cert_pem,
                                 .client_key_pem = std::string(own.key_pem.view()),
                                 .server_name = ""});
  }
  DM_ASSIGN_OR_RETURN(const auto key, vault_.Open(SecretOwner(record.name()), kClientKeySecret,
                                                  record.client_key_sealed()));
  return common::Channel::Tls(record.address(), {.ca_pem = record.ca_pem(),
                                                 .client_cert_pem = record.client_cert_pem(),
                                                 .client_key_pem = std::string(key.view()),
                                                 .server_name = ""});
}

void DriverRegistry::GetProvisioner(ProvisionerReady ready) {
  {
    absl::MutexLock lock(&mu_);
    if (provisioner_ != nullptr && provisioner_->alive()) {
      executor_.Run(
          [ready = std::move(ready), connection = provisioner_]() mutable { ready(connection); });
      return;
    }
  }
  supervisor_.Get(kProvisionerProgram, [this, ready = std::move(ready)](
                                           absl::StatusOr<std::shared_ptr<Child>> child) mutable {
    if (!child.ok()) return ready(child.status());
    auto connection = std::make_shared<ProvisionerConnection>((*child)->channel(), *child);
    {
      absl::MutexLock lock(&mu_);
      if (provisioner_ == nullptr || !provisioner_->alive()) provisioner_ = connection;
      connection = provisioner_;
    }
    ready(std::move(connection));
  });
}

void DriverRegistry::UseProvisioner(common::Channel channel) {
  auto connection = std::make_shared<ProvisionerConnection>(std::move(channel), nullptr);
  absl::MutexLock lock(&mu_);
  provisioner_ = std::move(connection);
}

absl::StatusOr<std::vector<machine::v1::DriverInfo>> DriverRegistry::List() {
  std::map<std::string, machine::v1::DriverInfo> drivers;
  for (const std::string& program : supervisor_.Programs(kDriverPrefix)) {
    const std::string name(absl::StripPrefix(program, kDriverPrefix));
    drivers[name].set_name(name);
    drivers[name].set_state(machine::v1::DriverInfo::ABSENT);
  }
  DM_RETURN_IF_ERROR(store_.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(const std::vector<DriverRecord> records, reader.ListDrivers());
    for (const DriverRecord& record : records) {
      drivers[record.name()].set_name(record.name());
      drivers[record.name()].set_address(record.address());
      drivers[record.name()].set_state(machine::v1::DriverInfo::ABSENT);
    }
    return absl::OkStatus();
  }));
  std::vector<machine::v1::DriverInfo> list;
  for (auto& [name, info] : drivers) {
    AddStatus(name, info);
    list.push_back(std::move(info));
  }
  return list;
}

void DriverRegistry::AddStatus(const std::string& name, machine::v1::DriverInfo& info) {
  std::shared_ptr<DriverConnection> connection;
  {
    absl::MutexLock lock(&mu_);
    const auto it = entries_.find(name);
    if (it != entries_.end()) connection = it->second->connection;
  }
  if (connection != nullptr) {
    info.set_version(connection->handshake().driver_version());
    info.set_unsupported_reason(connection->handshake().unsupported_reason());
  }
  if (connection != nullptr && !connection->is_child()) return info.set_state(StateOf(*connection));
  const ChildStatus status = supervisor_.Status(absl::StrCat(kDriverPrefix, name));
  info.set_state(status.state);
  info.set_pid(status.pid);
  info.set_restarts(status.restarts);
  if (!status.last_error.ok()) *info.mutable_last_error() = common::ToRpcStatus(status.last_error);
  // The last owner must not be this thread, which may be in a reaction.
  if (connection != nullptr) executor_.Run([connection = std::move(connection)] {});
}

absl::StatusOr<std::shared_ptr<DriverConnection>> DriverRegistry::Register(
    const machine::v1::RegisterDriverRequest& request) {
  const std::vector<std::string> installed = supervisor_.Programs(kDriverPrefix);
  if (std::find(installed.begin(), installed.end(), absl::StrCat(kDriverPrefix, request.name())) !=
      installed.end()) {
    return common::Error(absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_DRIVER_EXISTS,
                         absl::StrCat("the driver \"", request.name(), "\" is installed here"));
  }
  DriverRecord record;
  record.set_name(request.name());
  record.set_address(request.address());
  record.set_ca_pem(request.ca_pem());
  record.set_client_cert_pem(request.client_cert_pem());
  if (!request.ca_pem().empty() && request.client_cert_pem().empty()) {
    DM_ASSIGN_OR_RETURN(const std::string own, authority_.CaPem());
    if (request.ca_pem() != own) {
      return common::InvalidField(
          "client_cert_pem", "is needed: the driver's authority is not this orchestrator's own");
    }
  }
  DM_ASSIGN_OR_RETURN(std::string sealed, vault_.Seal(SecretOwner(request.name()), kClientKeySecret,
                                                      request.client_key_pem()));
  record.set_client_key_sealed(std::move(sealed));
  DM_ASSIGN_OR_RETURN(auto connection, Dial(record));
  DM_RETURN_IF_ERROR(store_.WriteAndWait(
      [record](StoreTransaction& transaction) { return transaction.PutDriver(record); }));
  const std::shared_ptr<Entry> entry = EntryOf(request.name());
  absl::MutexLock lock(&mu_);
  entry->connection = connection;
  return connection;
}

absl::Status DriverRegistry::Unregister(absl::string_view name) {
  DM_RETURN_IF_ERROR(store_.WriteAndWait(
      [name = std::string(name)](StoreTransaction& transaction) -> absl::Status {
        DM_ASSIGN_OR_RETURN(const std::vector<DriverRecord> records, transaction.ListDrivers());
        for (const DriverRecord& record : records) {
          if (record.name() == name) return transaction.DeleteDriver(name);
        }
        return UnknownDriver(name);
      }));
  absl::MutexLock lock(&mu_);
  entries_.erase(std::string(name));
  return absl::OkStatus();
}

void DriverRegistry::Apply(const StoreChanges& changes) {
  if (changes.drivers.empty()) return;
  absl::MutexLock lock(&mu_);
  for (const std::string& name : changes.drivers) {
    const auto it = entries_.find(name);
    // One that runs here has nothing to do with what is registered.
    if (it != entries_.end() && it->second->connection != nullptr &&
        !it->second->connection->is_child()) {
      it->second->connection = nullptr;
    }
  }
}

void DriverRegistry::DropIdle() {
  absl::MutexLock lock(&mu_);
  for (auto& [name, entry] : entries_) {
    if (entry->connection != nullptr && entry->connection.use_count() == 1) {
      entry->connection = nullptr;
    }
  }
  if (provisioner_ != nullptr && provisioner_->is_child() && provisioner_.use_count() == 1) {
    provisioner_ = nullptr;
  }
}

}  // namespace machine::orchestrator
