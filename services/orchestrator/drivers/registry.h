// The drivers that can be used: programs installed here, and drivers registered by address.
#ifndef SERVICES_ORCHESTRATOR_DRIVERS_REGISTRY_H_
#define SERVICES_ORCHESTRATOR_DRIVERS_REGISTRY_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "driver/v1/driver.grpc.pb.h"
#include "machine/v1/drivers.pb.h"
#include "provisioner/v1/provisioner.grpc.pb.h"
#include "services/common/rpc/channel.h"
#include "services/common/rpc/executor.h"
#include "services/orchestrator/certs/driver_authority.h"
#include "services/orchestrator/drivers/supervisor.h"
#include "services/orchestrator/secrets/secret_vault.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// A driver that agreed on the API.
class DriverConnection {
 public:
  DriverConnection(common::Channel channel, std::shared_ptr<Child> child,
                   ::driver::v1::HandshakeResponse handshake,
                   std::vector<machine::v1::FlagSpec> flags, std::string certificate_pem);

  const common::Channel& channel() const { return channel_; }
  ::driver::v1::Driver::Stub& stub() const { return *stub_; }
  const ::driver::v1::HandshakeResponse& handshake() const { return handshake_; }
  const std::vector<machine::v1::FlagSpec>& flags() const { return flags_; }
  /// What it showed at the handshake; empty where there is no TLS.
  const std::string& certificate_pem() const { return certificate_pem_; }
  bool Can(::driver::v1::Capability capability) const;
  /// Started by this orchestrator; else registered by address.
  bool is_child() const { return child_ != nullptr; }
  /// False once its process has ended; the status of a call that failed then means a crash.
  bool alive() const { return child_ == nullptr || child_->alive(); }

 private:
  const common::Channel channel_;
  const std::shared_ptr<Child> child_;  // Null for a registered driver.
  const std::unique_ptr<::driver::v1::Driver::Stub> stub_;
  const ::driver::v1::HandshakeResponse handshake_;
  const std::vector<machine::v1::FlagSpec> flags_;
  const std::string certificate_pem_;
};

/// The provisioner service of this orchestrator.
class ProvisionerConnection {
 public:
  ProvisionerConnection(common::Channel channel, std::shared_ptr<Child> child);

  const common::Channel& channel() const { return channel_; }
  ::provisioner::v1::Provisioner::Stub& stub() const { return *stub_; }
  /// Started by this orchestrator; else one that runs elsewhere.
  bool is_child() const { return child_ != nullptr; }
  bool alive() const { return child_ == nullptr || child_->alive(); }

 private:
  const common::Channel channel_;
  const std::shared_ptr<Child> child_;  // Null for one that runs elsewhere.
  const std::unique_ptr<::provisioner::v1::Provisioner::Stub> stub_;
};

/// Thread-safe. All callbacks run on the executor.
class DriverRegistry {
 public:
  using DriverReady = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<DriverConnection>>)>;
  using ProvisionerReady =
      absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<ProvisionerConnection>>)>;

  DriverRegistry(Supervisor& supervisor, Store& store, const SecretVault& vault,
                 DriverAuthority& authority, common::Executor& executor,
                 std::string orchestrator_id);

  /// Connects to the driver, starting it if it is installed here.
  /// Errors: NOT_FOUND DRIVER_NOT_FOUND; UNAVAILABLE DRIVER_CRASHED or PROVIDER_DOWN;
  /// FAILED_PRECONDITION DRIVER_API_MISMATCH or UNSUPPORTED_HOST.
  void GetDriver(absl::string_view name, DriverReady ready);

  void GetProvisioner(ProvisionerReady ready);

  /// From now on uses the provisioner at the end of `channel`, and starts none.
  void UseProvisioner(common::Channel channel);

  /// Installed and registered drivers by name, with the version of those that have answered.
  absl::StatusOr<std::vector<machine::v1::DriverInfo>> List();

  /// Sets what its process does and what went wrong with it last.
  void AddStatus(const std::string& name, machine::v1::DriverInfo& info);

  /// Makes a remote driver known once it has answered. Blocks. INVALID_ARGUMENT without a
  /// certificate to show to a driver of a foreign authority.
  absl::StatusOr<std::shared_ptr<DriverConnection>> Register(
      const machine::v1::RegisterDriverRequest& request);
  /// Blocks. Errors: NOT_FOUND DRIVER_NOT_FOUND.
  absl::Status Unregister(absl::string_view name);

  /// A connection of its own to a registered driver, which nothing else uses. Blocks.
  absl::StatusOr<std::shared_ptr<DriverConnection>> Dial(const DriverRecord& record) const;

  /// From the store's listener: a registration that another orchestrator on the store has changed
  /// is read anew at the next use.
  void Apply(const StoreChanges& changes);

  /// Forgets connections that nobody uses, so that their idle processes can be stopped.
  void DropIdle();

 private:
  struct Entry {
    std::shared_ptr<common::Strand> strand;
    std::shared_ptr<DriverConnection>
        connection;  // On the strand only, but for those below that lock.
  };

  std::shared_ptr<Entry> EntryOf(absl::string_view name);
  void Connect(const std::string& name, const std::shared_ptr<Entry>& entry,
               absl::StatusOr<std::shared_ptr<Child>> child, DriverReady ready);
  absl::StatusOr<std::shared_ptr<DriverConnection>> Handshake(const std::string& name,
                                                              common::Channel channel,
                                                              std::shared_ptr<Child> child) const;
  absl::StatusOr<common::Channel> RemoteChannel(const DriverRecord& record) const;

  Supervisor& supervisor_;
  Store& store_;
  const SecretVault& vault_;
  DriverAuthority& authority_;
  common::Executor& executor_;
  const std::string orchestrator_id_;
  absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<ProvisionerConnection> provisioner_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_DRIVERS_REGISTRY_H_
