// machine-orchestrator: the one process with state. See README.md beside this file.
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/random.h"
#include "services/common/failpoint/failpoints.h"
#include "services/common/file/file.h"
#include "services/common/log/level.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/process/process_id.h"
#include "services/common/process/service_manager.h"
#include "services/common/rpc/channel.h"
#include "services/common/rpc/executor.h"
#include "services/common/rpc/server.h"
#include "services/common/status/status.h"
#include "services/common/version/version.h"
#include "services/orchestrator/access/accounts.h"
#include "services/orchestrator/access/authority.h"
#include "services/orchestrator/access/gate.h"
#include "services/orchestrator/access/policy.h"
#include "services/orchestrator/api/access_service.h"
#include "services/orchestrator/api/credentials_service.h"
#include "services/orchestrator/api/driver_certificates_service.h"
#include "services/orchestrator/api/driver_identities_service.h"
#include "services/orchestrator/api/drivers_service.h"
#include "services/orchestrator/api/machines_service.h"
#include "services/orchestrator/api/operations_service.h"
#include "services/orchestrator/api/orphans_service.h"
#include "services/orchestrator/api/server_service.h"
#include "services/orchestrator/api/sessions_service.h"
#include "services/orchestrator/certs/certificates.h"
#include "services/orchestrator/certs/driver_authority.h"
#include "services/orchestrator/config.h"
#include "services/orchestrator/drivers/identity_keeper.h"
#include "services/orchestrator/drivers/registry.h"
#include "services/orchestrator/drivers/supervisor.h"
#include "services/orchestrator/engine/admission.h"
#include "services/orchestrator/engine/cert_keeper.h"
#include "services/orchestrator/engine/credential_book.h"
#include "services/orchestrator/engine/engine.h"
#include "services/orchestrator/engine/orphan_collector.h"
#include "services/orchestrator/engine/refresher.h"
#include "services/orchestrator/engine/tombstone_reaper.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/events/watch_hub.h"
#include "services/orchestrator/import/machine_folder.h"
#include "services/orchestrator/local_channel.h"
#include "services/orchestrator/secrets/secret_vault.h"
#include "services/orchestrator/store/postgres_store.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store_command.h"
#include "services/orchestrator/user_command.h"

namespace machine::orchestrator {
namespace {

constexpr int kReadyFd = 3;
constexpr int kMaxThreads = 64;
// glibc gives each thread an arena of its own, and what is freed in one is of no use to the others:
// with 64 threads that is half of the memory of a large fleet.
constexpr int kMallocArenas = 2;
constexpr absl::Duration kRefreshInterval = absl::Seconds(15);
constexpr absl::Duration kReaperInterval = absl::Seconds(5);
constexpr absl::Duration kHousekeepingInterval = absl::Seconds(30);
constexpr absl::Duration kDriverIdle = absl::Minutes(10);
constexpr absl::Duration kRefreshLimit = absl::Seconds(10);
constexpr absl::Duration kCallGrace = absl::Seconds(1);

// What the process waits for: a signal, the Shutdown call, or idleness.
class StopRequest {
 public:
  void Request(bool drain) {
    absl::MutexLock lock(&mu_);
    if (!drain_.has_value()) drain_ = drain;
  }
  bool Wait() {
    absl::MutexLock lock(&mu_);
    const auto requested = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return drain_.has_value(); };
    mu_.Await(absl::Condition(&requested));
    return *drain_;
  }

 private:
  absl::Mutex mu_;
  std::optional<bool> drain_ ABSL_GUARDED_BY(mu_);
};

void TellReady(bool has_ready_fd, absl::string_view line) {
  if (!has_ready_fd) return;
  const std::string text = absl::StrCat(line, "\n");
  if (write(kReadyFd, text.data(), text.size()) < 0) return;  // Nobody listens.
  close(kReadyFd);
}

// Everything that lives as long as the process. Members are destroyed in reverse order, but a
// process that stops does not wait for that: it is safe to end at any point.
class Orchestrator {
 public:
  Orchestrator(Config config, common::Logger log)
      : config_(std::move(config)),
        log_(std::move(log)),
        failpoints_(common::Failpoints::FromEnvironment()) {}

  absl::Status Start() {
    DM_RETURN_IF_ERROR(OpenStore());
    DM_RETURN_IF_ERROR(LoadMachines());
    DM_RETURN_IF_ERROR(OpenAccess());
    BuildEngine();
    DM_RETURN_IF_ERROR(UseProvisioner(config_));
    if (!config_.metrics_address.empty()) {
      DM_RETURN_IF_ERROR(metrics_.Expose(config_.metrics_address));
      if (config_.metrics_are_public()) {
        log_.Warning("metrics are served to whoever asks, without TLS",
                     {{"address", config_.metrics_address}});
      }
    }
    DM_RETURN_IF_ERROR(Listen());
    DM_RETURN_IF_ERROR(engine_->Start());
    refresher_->Start(kRefreshInterval);
    reaper_->Start(kReaperInterval);
    cert_keeper_->Start();
    identity_keeper_->Start();
    NoteLoad();
    // What a dashboard shows is there before it first happens.
    metrics_.Count("lease_lost_total", {}, 0);
    metrics_.Count("tombstone_attempts_total", {{"outcome", "failed"}}, 0);
    metrics_.Count("driver_restarts_total", {{"program", "machine-provisioner"}}, 0);
    ScheduleHousekeeping();
    return absl::OkStatus();
  }

  /// What can change while it runs: `config`'s log level, and the contents of files with
  /// certificates and keys.
  void Reload(const Config& config, const std::vector<std::string>& waiting) {
    common::SetProcessSeverity(*common::ParseSeverity(config.log_level));
    KeepCertificates();
    if (waiting.empty() || config.provisioner == config_.provisioner) {
      const absl::Status status = UseProvisioner(config);
      if (!status.ok()) log_.Error(status.message());
    }
    log_.Info("read the configuration again", {{"log_level", config.log_level}});
    if (!waiting.empty()) {
      log_.Warning("changed, and taken at the next start",
                   {{"options", absl::StrJoin(waiting, ", ")}});
    }
  }

  StopRequest& stop_request() { return stop_request_; }

  void Stop(bool drain) {
    log_.Info("shutting down");
    unlink(config_.info_path().c_str());
    if (drain) engine_->WaitUntilIdle(config_.drain_limit);
    refresher_->Stop();
    reaper_->Stop();
    cert_keeper_->Stop();
    identity_keeper_->Stop();
    hub_->EndAll();
    engine_->Stop();
    // Operations go on elsewhere or later; sessions can do neither. New calls are refused from
    // here.
    const int64_t sessions = sessions_service_->open();
    if (sessions > 0) {
      log_.Info("waiting for sessions to end",
                {{"sessions", absl::StrCat(sessions)},
                 {"limit", absl::FormatDuration(config_.drain_limit)}});
    }
    server_->Shutdown(sessions > 0 ? config_.drain_limit : kCallGrace);
    supervisor_->Shutdown();
    store_.reset();
  }

 private:
  absl::Status OpenStore() {
    DM_RETURN_IF_ERROR(common::EnsureDir(config_.storage_path, 0700));
    DM_RETURN_IF_ERROR(common::EnsurePrivateDir(config_.server_dir()));
    DM_RETURN_IF_ERROR(common::EnsurePrivateDir(config_.runtime_dir()));
    if (config_.store.has_value()) {
      DM_ASSIGN_OR_RETURN(
          store_,
          PostgresStore::Open(*config_.store, SharedLeaseTimes(config_.lease_time), clock_));
    } else {
      DM_ASSIGN_OR_RETURN(store_, SqliteStore::Open(config_.store_path(), clock_));
    }
    DM_ASSIGN_OR_RETURN(
        SecretVault vault,
        SecretVault::LoadOrCreate(
            {.key_path = config_.key_path(), .passphrase_path = config_.passphrase_file}, *store_));
    vault_.emplace(std::move(vault));
    certificates_ = std::make_unique<Certificates>(*store_, *vault_, clock_);
    if (config_.private_mode) folder_ = std::make_unique<MachineFolder>(config_.storage_path);
    return absl::OkStatus();
  }

  absl::Status LoadMachines() {
    std::vector<std::string> bad_rows;
    std::vector<std::string> names;
    DM_RETURN_IF_ERROR(store_->Read([&](StoreReader& reader) {
      return reader.ForEachMachine(
          [&](MachineRecord record) {
            names.emplace_back(MachineId(record.machine().name()));
            index_.Load(record.machine());
          },
          &bad_rows);
    }));
    for (const std::string& row : bad_rows) log_.Error("a machine cannot be read", {{"row", row}});
    if (folder_ != nullptr) {
      const absl::Status status = folder_->Reconcile(names);
      if (!status.ok()) log_.Warning(status.message());
    }
    return absl::OkStatus();
  }

  // A private orchestrator has one user, who is on this host.
  absl::Status OpenAccess() {
    if (!config_.private_mode) {
      policy_ = std::make_unique<AccessPolicy>(*store_, clock_);
      gate_ = std::make_unique<AccessGate>(*store_, *policy_, index_, executor_, log_, clock_);
    }
    if (!config_.listen.empty()) {
      DM_ASSIGN_OR_RETURN(AccessAuthority authority,
                          AccessAuthority::Open(*store_, *vault_,
                                                {.address = config_.listen,
                                                 .names = config_.tls_names,
                                                 .cert_file = config_.tls_cert,
                                                 .key_file = config_.tls_key,
                                                 .client_ca_file = config_.client_ca,
                                                 .folder = config_.tls_dir()},
                                                clock_));
      authority_.emplace(std::move(authority));
      policy_->SetOwnAuthority(authority_->ca_pem());
    }
    if (policy_ != nullptr) DM_RETURN_IF_ERROR(policy_->Load().status());
    accounts_ = std::make_unique<Accounts>(*store_, authority_.has_value() ? &*authority_ : nullptr,
                                           gate_.get(), clock_);
    return absl::OkStatus();
  }

  void BuildEngine() {
    hub_ = std::make_unique<WatchHub>(*store_, index_, executor_, clock_);
    SupervisorOptions options;
    options.libexec_dir = config_.libexec_dir;
    options.runtime_dir = config_.runtime_dir();
    options.data_dir = config_.server_dir();
    options.orchestrator_id = store_->orchestrator_id();
    options.log_level = config_.log_level;
    supervisor_ = std::make_unique<Supervisor>(options, executor_, metrics_, log_, clock_);
    driver_authority_ = std::make_unique<DriverAuthority>(
        *store_, *vault_, clock_,
        config_.driver_cert_lifetime > absl::ZeroDuration() ? config_.driver_cert_lifetime
                                                            : kDriverLifetime);
    drivers_ = std::make_unique<DriverRegistry>(*supervisor_, *store_, *vault_, *driver_authority_,
                                                executor_, store_->orchestrator_id());
    identity_keeper_ = std::make_unique<IdentityKeeper>(*drivers_, *store_, *driver_authority_,
                                                        executor_, log_, clock_);
    const EngineParts parts{.store = *store_,
                            .executor = executor_,
                            .drivers = *drivers_,
                            .vault = *vault_,
                            .certificates = *certificates_,
                            .folder = folder_.get(),
                            .failpoints = failpoints_,
                            .metrics = metrics_,
                            .log = log_,
                            .clock = clock_};
    engine_ = std::make_unique<Engine>(parts);
    refresher_ = std::make_unique<Refresher>(parts, index_);
    admission_ = std::make_unique<Admission>(parts, *engine_, *hub_);
    reaper_ = std::make_unique<TombstoneReaper>(parts);
    collector_ = std::make_unique<OrphanCollector>(parts, *reaper_);
    cert_keeper_ = std::make_unique<CertKeeper>(parts, index_, *admission_);
    credentials_ = std::make_unique<CredentialBook>(parts, index_);
    // What an operation leaves is looked at once more: it may have failed half-way.
    engine_->SetOnDone([this](const std::string& uid) {
      const MachinePointer machine = index_.FindByUid(uid);
      if (machine != nullptr && machine->machine.has_last_error()) {
        refresher_->Refresh({machine}, kRefreshLimit, [] {});
      }
    });
    store_->SetListener([this](const StoreChanges& changes) {
      index_.Apply(changes);
      hub_->Apply(changes);
      engine_->Apply(changes);
      drivers_->Apply(changes);
      identity_keeper_->Apply(changes);
      if (changes.access && gate_ != nullptr) gate_->Changed();
      if (changes.missed) {
        log_.Error("away from the store for too long: ending, to begin anew with what is there");
        stop_request_.Request(/*drain=*/false);
      }
    });
    machine::v1::ServerInfo info;
    info.set_orchestrator_id(store_->orchestrator_id());
    info.set_version(common::kVersion);
    info.set_build_label(BuildLabel());
    info.mutable_start_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()));
    info.set_pid(getpid());
    info.set_private_mode(config_.private_mode);
    machines_service_ = std::make_unique<MachinesService>(parts, *admission_, index_, *hub_,
                                                          *refresher_, policy_.get());
    operations_service_ =
        std::make_unique<OperationsService>(*store_, *hub_, executor_, index_, policy_.get());
    access_service_ =
        std::make_unique<AccessService>(*accounts_, policy_.get(), *store_, executor_);
    events_service_ = std::make_unique<OperationEventsService>(*hub_);
    sessions_service_ = std::make_unique<SessionsService>(parts, index_);
    drivers_service_ = std::make_unique<DriversService>(*drivers_, index_, executor_);
    driver_certificates_service_ =
        std::make_unique<DriverCertificatesService>(*driver_authority_, executor_);
    driver_identities_service_ = std::make_unique<DriverIdentitiesService>(*identity_keeper_);
    orphans_service_ = std::make_unique<OrphansService>(*collector_, executor_);
    credentials_service_ = std::make_unique<CredentialsService>(*credentials_, executor_);
    server_service_ =
        std::make_unique<ServerService>(std::move(info), parts, *engine_, index_, *supervisor_,
                                        [this](bool drain) { stop_request_.Request(drain); });
  }

  absl::Status Listen() {
    common::RpcServerOptions options;
    options.address = config_.address();
    options.cookie = absl::BytesToHexString(common::RandomBytes(16));
    options.services = {machines_service_.get(),
                        operations_service_.get(),
                        events_service_.get(),
                        sessions_service_.get(),
                        drivers_service_.get(),
                        driver_certificates_service_.get(),
                        driver_identities_service_.get(),
                        server_service_.get(),
                        orphans_service_.get(),
                        access_service_.get(),
                        credentials_service_.get()};
    options.guard = gate_.get();
    options.plaintext_address = config_.listen_plaintext;
    if (authority_.has_value()) {
      DM_ASSIGN_OR_RETURN(options.tls, authority_->WriteFiles());
    }
    options.metrics = &metrics_;
    DM_ASSIGN_OR_RETURN(server_, common::RpcServer::Start(options));
    if (authority_.has_value()) {
      log_.Info("listening for users", {{"address", server_->tls_address()}});
    }
    DM_ASSIGN_OR_RETURN(const int64_t start_time, common::ProcessStartTime(getpid()));
    // What a client needs to reach us; it is in a folder that only the user can enter.
    const std::string info =
        absl::StrCat("{\"pid\":", getpid(), ",\"start_time\":", start_time,
                     ",\"address\":", common::JsonString(options.address),
                     ",\"listen\":", common::JsonString(server_->tls_address()),
                     ",\"cookie\":", common::JsonString(options.cookie),
                     ",\"build\":", common::JsonString(BuildLabel()), "}\n");
    return common::WriteFileAtomically(config_.info_path(), info, 0600, {.fsync = false});
  }

  void NoteLoad() {
    metrics_.Set("machines", {}, static_cast<double>(index_.size()));
    metrics_.Set("operations_active", {}, static_cast<double>(engine_->active()));
    metrics_.Set("watchers", {}, static_cast<double>(hub_->watchers()));
  }

  void KeepHouse() {
    NoteLoad();
    drivers_->DropIdle();
    supervisor_->StopIdle(kDriverIdle);
    malloc_trim(0);
    KeepAccess();
    const absl::Duration now = clock_.Steady();
    const int64_t calls = metrics_.rpc().calls();
    const bool busy = engine_->active() > 0 || hub_->watchers() > 0 ||
                      sessions_service_->open() > 0 || calls != last_calls_;
    if (busy) last_busy_ = now;
    last_calls_ = calls;
    if (config_.idle_exit > absl::ZeroDuration() && now - last_busy_ > config_.idle_exit) {
      log_.Info("idle");
      return stop_request_.Request(false);
    }
    ScheduleHousekeeping();
  }

  // INVALID_ARGUMENT naming a file that cannot be read.
  absl::Status UseProvisioner(const Config& config) {
    if (config.provisioner.empty()) return absl::OkStatus();
    DM_RETURN_IF_ERROR(CheckFiles(config));
    DM_ASSIGN_OR_RETURN(const std::string ca, common::ReadFile(config.provisioner_ca));
    DM_ASSIGN_OR_RETURN(const std::string cert, common::ReadFile(config.provisioner_cert));
    DM_ASSIGN_OR_RETURN(const std::string key, common::ReadFile(config.provisioner_key));
    drivers_->UseProvisioner(common::Channel::Tls(
        config.provisioner,
        {.ca_pem = ca, .client_cert_pem = cert, .client_key_pem = key, .server_name = ""}));
    return absl::OkStatus();
  }

  // Certificates are renewed, given files read again, and users noted.
  void KeepAccess() {
    if (gate_ != nullptr) gate_->NoteSeen();
    KeepCertificates();
  }

  void KeepCertificates() {
    absl::MutexLock lock(&certificates_mu_);
    if (!authority_.has_value()) return;
    const absl::Status status = authority_->WriteFiles().status();
    if (!status.ok()) {
      log_.Error("certificates cannot be kept", {{"reason", std::string(status.message())}});
    }
  }

  void ScheduleHousekeeping() {
    const absl::Duration next = config_.idle_exit > absl::ZeroDuration()
                                    ? std::min(kHousekeepingInterval, config_.idle_exit / 4)
                                    : kHousekeepingInterval;
    executor_.RunAfter(next, [this] { KeepHouse(); });
  }

  const Config config_;
  // Housekeeping and SIGHUP may meet.
  absl::Mutex certificates_mu_;
  const common::Logger log_;
  const common::Clock& clock_ = common::Clock::Real();
  const common::Failpoints failpoints_;
  common::Metrics metrics_;
  StopRequest stop_request_;
  MachineIndex index_;
  std::unique_ptr<Store> store_;
  std::optional<SecretVault> vault_;
  std::unique_ptr<Certificates> certificates_;
  std::unique_ptr<MachineFolder> folder_;
  common::Executor executor_{kMaxThreads};
  std::unique_ptr<AccessPolicy> policy_;
  std::unique_ptr<AccessGate> gate_;
  std::optional<AccessAuthority> authority_;
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<WatchHub> hub_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<DriverAuthority> driver_authority_;
  std::unique_ptr<DriverRegistry> drivers_;
  std::unique_ptr<IdentityKeeper> identity_keeper_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Refresher> refresher_;
  std::unique_ptr<Admission> admission_;
  std::unique_ptr<TombstoneReaper> reaper_;
  std::unique_ptr<OrphanCollector> collector_;
  std::unique_ptr<CertKeeper> cert_keeper_;
  std::unique_ptr<CredentialBook> credentials_;
  std::unique_ptr<MachinesService> machines_service_;
  std::unique_ptr<OperationsService> operations_service_;
  std::unique_ptr<OperationEventsService> events_service_;
  std::unique_ptr<SessionsService> sessions_service_;
  std::unique_ptr<DriversService> drivers_service_;
  std::unique_ptr<DriverCertificatesService> driver_certificates_service_;
  std::unique_ptr<DriverIdentitiesService> driver_identities_service_;
  std::unique_ptr<ServerService> server_service_;
  std::unique_ptr<OrphansService> orphans_service_;
  std::unique_ptr<CredentialsService> credentials_service_;
  std::unique_ptr<AccessService> access_service_;
  std::unique_ptr<common::RpcServer> server_;
  absl::Duration last_busy_ = clock_.Steady();
  int64_t last_calls_ = 0;
};

// Blocks the signals that end this process, in this thread and those it will start. Before there is
// any other thread: one in which they are not blocked would be ended by them, and with it all.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Takes the signals on a thread of its own. SIGHUP counts once the orchestrator has started.
class SignalThread {
 public:
  SignalThread(Orchestrator& orchestrator, ConfigReader& reader, const common::Logger& log,
               const common::ServiceManager& manager)
      : orchestrator_(orchestrator), reader_(reader), log_(log), manager_(manager) {}

  void Start(const sigset_t& signals) {
    std::thread([this, signals] {
      for (int signal = 0; signal == 0 || signal == SIGHUP;) {
        sigwait(&signals, &signal);
        if (signal == SIGHUP) Reload();
      }
      manager_.Tell("STOPPING=1");
      orchestrator_.stop_request().Request(/*drain=*/false);
      for (int signal = SIGHUP; signal == SIGHUP;) sigwait(&signals, &signal);
      _exit(1);  // Crash-safe by design.
    }).detach();
  }

  void SetStarted() { started_.store(true); }

 private:
  void Reload() {
    if (!started_.load()) return;
    manager_.Tell("RELOADING=1");
    const absl::StatusOr<Config> config = reader_.Read();
    if (config.ok()) {
      orchestrator_.Reload(*config, reader_.waiting());
    } else {
      log_.Error("the configuration is not good; nothing is changed",
                 {{"reason", std::string(config.status().message())}});
    }
    manager_.Tell("READY=1");
  }

  Orchestrator& orchestrator_;
  ConfigReader& reader_;
  const common::Logger& log_;
  const common::ServiceManager& manager_;
  std::atomic<bool> started_ = false;
};

int MainOfCommand(int argc, char** argv,
                  absl::StatusOr<std::string> (*run)(const std::vector<std::string>&)) {
  umask(077);
  const absl::StatusOr<std::string> done = run(std::vector<std::string>(argv + 2, argv + argc));
  if (done.ok()) {
    fputs(done->c_str(), stdout);
    return 0;
  }
  fprintf(stderr, "machine-orchestrator: %s\n", std::string(done.status().message()).c_str());
  return absl::IsInvalidArgument(done.status()) ? 2 : 1;
}

int Main(int argc, char** argv) {
  const absl::string_view first = argc > 1 ? argv[1] : "";
  if (first == "store") return MainOfCommand(argc, argv, RunStoreCommand);
  if (first == "health") return MainOfCommand(argc, argv, RunHealthCommand);
  if (first == "user") return MainOfCommand(argc, argv, RunUserCommand);
  const bool has_ready_fd = fcntl(kReadyFd, F_SETFD, FD_CLOEXEC) == 0;
  const common::ServiceManager manager = common::ServiceManager::FromEnvironment();
  ConfigReader reader(argc, argv);
  if (const std::string text = reader.Text(); !text.empty()) {
    fputs(text.c_str(), stdout);
    return 0;
  }
  absl::StatusOr<Config> config = reader.Read();
  const absl::Status good =
      config.ok() && reader.only_check() ? CheckFiles(*config) : config.status();
  if (!good.ok()) {
    TellReady(has_ready_fd, absl::StrCat("error: ", good.message()));
    fprintf(stderr, "machine-orchestrator: %s\n", std::string(good.message()).c_str());
    return 2;
  }
  if (reader.only_check()) {
    fputs("the configuration is good\n", stdout);
    return 0;
  }
  // Read by now, and not for drivers to see.
  for (const char* secret : {"MACHINE_STORE", "PGPASSWORD"}) unsetenv(secret);
  umask(077);
  mallopt(M_ARENA_MAX, kMallocArenas);
  // Secrets are in memory: no core file, no debugger of another process of the user.
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_DUMPABLE, 0);

  const sigset_t signals = BlockSignals();
  const common::Logger log(*common::ParseSeverity(config->log_level), "orchestrator");
  // Never destroyed: a process that stops ends at once, which is safe at any point.
  auto& orchestrator = *new Orchestrator(*std::move(config), log);
  auto& signal_thread = *new SignalThread(orchestrator, reader, log, manager);
  signal_thread.Start(signals);
  const absl::Status status = orchestrator.Start();
  if (!status.ok()) {
    log.Error(status.message());
    // A client can wait for an orchestrator that is about to end.
    const std::optional<std::string> holder = HolderOfSqliteStore(status);
    TellReady(has_ready_fd,
              absl::StrCat(holder.has_value() ? absl::StrCat("busy ", *holder) : "error", ": ",
                           status.message()));
    _exit(1);
  }
  TellReady(has_ready_fd, "ready");
  signal_thread.SetStarted();
  manager.Tell("READY=1");
  log.Info("serving");
  orchestrator.Stop(orchestrator.stop_request().Wait());
  _exit(0);
}

}  // namespace
}  // namespace machine::orchestrator

int main(int argc, char** argv) { return machine::orchestrator::Main(argc, argv); }
