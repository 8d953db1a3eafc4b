#include "services/orchestrator/drivers/supervisor.h"

#include <dirent.h>
#include <grpcpp/generic/generic_stub.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr size_t kCrashesUntilBroken = 5;
constexpr absl::Duration kCrashWindow = absl::Seconds(60);
constexpr absl::Duration kBrokenFor = absl::Minutes(5);
constexpr absl::Duration kFirstBackoff = absl::Seconds(1);
constexpr absl::Duration kMaxBackoff = absl::Seconds(60);
constexpr absl::Duration kStopGrace = absl::Seconds(10);

// Changes when the program is replaced, as by an upgrade.
int64_t ProgramVersion(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return 0;
  return info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
}

// "d/none.sock" for machine-driver-none: short, because a socket's path has at most 107 bytes.
std::string SocketName(absl::string_view program) {
  return absl::StrCat(absl::StripPrefix(absl::StripPrefix(program, "machine-"), "driver-"),
                      ".sock");
}

}  // namespace

struct Supervisor::Entry {
  std::string program;
  std::shared_ptr<Child> child;
  bool starting = false;
  std::vector<Ready> waiting;
  absl::Duration last_used = absl::ZeroDuration();
  std::deque<absl::Duration> crashes;
  std::string crash_log;
  int64_t crashed_version = 0;
  bool ended_unexpectedly = false;
  int32_t restarts = 0;
  absl::Status last_error;
  // Signs of life: when the last was asked for, and how many were missed in a row.
  absl::Duration probed = absl::ZeroDuration();
  bool probing = false;
  int missing = 0;
};

Supervisor::Supervisor(SupervisorOptions options, common::Executor& executor,
                       common::Metrics& metrics, common::Logger log, const common::Clock& clock)
    : options_(std::move(options)),
      executor_(executor),
      metrics_(metrics),
      log_(std::move(log)),
      clock_(clock) {
  EndLeftovers(options_.runtime_dir, log_);
  watcher_ = std::thread([this] { Watch(); });
}

Supervisor::~Supervisor() { Shutdown(); }

void Supervisor::Get(absl::string_view program, Ready ready) {
  const std::string path = absl::StrCat(options_.libexec_dir, "/", program);
  absl::MutexLock lock(&mu_);
  if (stopping_) {
    executor_.Run([ready = std::move(ready)]() mutable {
      ready(common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_SHUTTING_DOWN,
                          "the orchestrator is shutting down"));
    });
    return;
  }
  if (access(path.c_str(), X_OK) != 0) {
    executor_.Run([ready = std::move(ready), path]() mutable {
      ready(common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_DRIVER_NOT_FOUND,
                          absl::StrCat("there is no program ", path)));
    });
    return;
  }
  std::unique_ptr<Entry>& entry = entries_[std::string(program)];
  if (entry == nullptr) {
    entry = std::make_unique<Entry>();
    entry->program = std::string(program);
  }
  entry->last_used = clock_.Steady();
  if (entry->child != nullptr && entry->child->alive()) {
    executor_.Run([ready = std::move(ready), child = entry->child]() mutable { ready(child); });
    return;
  }
  if (entry->child != nullptr) NoteExitLocked(*entry);
  entry->waiting.push_back(std::move(ready));
  if (!entry->starting) StartLocked(*entry);
}

absl::Duration Supervisor::BackoffLocked(Entry& entry) {
  const absl::Duration now = clock_.Steady();
  while (!entry.crashes.empty() && now - entry.crashes.front() > kCrashWindow) {
    if (entry.crashes.size() >= kCrashesUntilBroken && now - entry.crashes.back() < kBrokenFor) {
      break;  // Broken: keep the evidence until the time is up.
    }
    entry.crashes.pop_front();
  }
  const std::string path = absl::StrCat(options_.libexec_dir, "/", entry.program);
  if (entry.crashes.size() >= kCrashesUntilBroken) {
    if (ProgramVersion(path) == entry.crashed_version) return absl::InfiniteDuration();
    entry.crashes.clear();
  }
  if (entry.crashes.size() <= 1) return absl::ZeroDuration();
  const absl::Duration backoff =
      std::min(kFirstBackoff * (1 << (entry.crashes.size() - 2)), kMaxBackoff);
  return std::max(entry.crashes.back() + backoff - now, absl::ZeroDuration());
}

absl::Status Supervisor::BrokenLocked(const Entry& entry) const {
  return common::Error(
      absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_DRIVER_CRASHED,
      absl::StrCat(entry.program, " has ended ", entry.crashes.size(),
                   " times in a minute and is not started again for 5 minutes; its last lines:\n",
                   entry.crash_log));
}

ChildStatus Supervisor::Status(absl::string_view program) {
  using machine::v1::DriverInfo;
  ChildStatus status;
  absl::MutexLock lock(&mu_);
  const auto it = entries_.find(program);
  if (it == entries_.end()) return status;
  Entry& entry = *it->second;
  // Asked once: a child that ends between two questions would be neither running nor noted as
  // ended.
  const bool alive = entry.child != nullptr && entry.child->alive();
  if (entry.child != nullptr && !alive) NoteExitLocked(entry);
  status.restarts = entry.restarts;
  status.last_error = entry.last_error;
  const absl::Duration backoff = BackoffLocked(entry);
  if (alive) {
    status.state = DriverInfo::READY;
    status.pid = entry.child->pid();
  } else if (backoff == absl::InfiniteDuration()) {
    status.state = DriverInfo::BROKEN;
    status.last_error = BrokenLocked(entry);
  } else if (backoff > absl::ZeroDuration()) {
    status.state = DriverInfo::BACKOFF;
  } else if (entry.starting) {
    status.state = DriverInfo::STARTING;
  }
  return status;
}

void Supervisor::StartLocked(Entry& entry) {
  const absl::Duration backoff = BackoffLocked(entry);
  if (backoff == absl::InfiniteDuration()) {
    const absl::Status status = BrokenLocked(entry);
    for (Ready& ready : std::exchange(entry.waiting, {})) {
      executor_.Run([ready = std::move(ready), status]() mutable { ready(status); });
    }
    return;
  }
  entry.starting = true;
  const std::string program = entry.program;
  if (backoff == absl::ZeroDuration()) {
    executor_.Run([this, program] { StartOnExecutor(program); });
  } else {
    executor_.RunAfter(backoff, [this, program] { StartOnExecutor(program); });
  }
}

void Supervisor::StartOnExecutor(const std::string& program) {
  ChildOptions child_options;
  child_options.program = absl::StrCat(options_.libexec_dir, "/", program);
  child_options.address = absl::StrCat("unix:", options_.runtime_dir, "/", SocketName(program));
  child_options.data_dir = options_.data_dir;
  child_options.orchestrator_id = options_.orchestrator_id;
  child_options.log_level = options_.log_level;
  absl::StatusOr<std::shared_ptr<Child>> child =
      Child::Start(child_options, log_, [this, program] { OnExit(program); });
  if (child.ok()) {
    log_.Info("child started", {{"program", program}, {"pid", absl::StrCat((*child)->pid())}});
  } else {
    log_.Error("child failed to start",
               {{"program", program}, {"error", std::string(child.status().message())}});
  }
  std::vector<Ready> waiting;
  std::shared_ptr<Child> unwanted;
  {
    absl::MutexLock lock(&mu_);
    Entry& entry = *entries_[program];
    entry.starting = false;
    waiting.swap(entry.waiting);
    if (child.ok() && stopping_) {
      unwanted = *child;
    } else if (child.ok()) {
      entry.child = *child;
      if (std::exchange(entry.ended_unexpectedly, false)) ++entry.restarts;
      entry.missing = 0;
      entry.probed = clock_.Steady();
      if (!entry.child->alive()) NoteExitLocked(entry);
    } else {
      entry.crash_log = std::string(child.status().message());
      entry.last_error = child.status();
      CountCrashLocked(entry);
    }
  }
  for (Ready& ready : waiting) ready(child);
}

void Supervisor::OnExit(const std::string& program) {
  absl::MutexLock lock(&mu_);
  const auto it = entries_.find(program);
  // Not ours any more: it was stopped on purpose, or never became ready.
  if (it == entries_.end() || it->second->child == nullptr || it->second->child->alive()) return;
  NoteExitLocked(*it->second);
}

void Supervisor::NoteExitLocked(Entry& entry) {
  entry.crash_log = absl::StrCat(entry.child->EndText(), "\n", entry.child->LogTail());
  entry.last_error =
      common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_DRIVER_CRASHED,
                    absl::StrCat(entry.program, " has ended: ", entry.crash_log));
  CountCrashLocked(entry);
  log_.Warning("child ended", {{"program", entry.program}, {"reason", entry.child->EndText()}});
  // Its last owner must not be this thread, which is the child's own.
  executor_.Run([last = std::move(entry.child)] {});
  entry.child = nullptr;
}

void Supervisor::CountCrashLocked(Entry& entry) {
  entry.ended_unexpectedly = true;
  entry.crashes.push_back(clock_.Steady());
  entry.crashed_version = ProgramVersion(absl::StrCat(options_.libexec_dir, "/", entry.program));
  metrics_.Count("driver_restarts_total", {{"program", entry.program}});
}

std::vector<std::string> Supervisor::Programs(absl::string_view prefix) const {
  std::vector<std::string> names;
  DIR* const folder = opendir(options_.libexec_dir.c_str());
  if (folder == nullptr) return names;
  const absl::Cleanup close = [folder] { closedir(folder); };
  while (const dirent* const entry = readdir(folder)) {
    if (absl::StartsWith(entry->d_name, prefix)) names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void Supervisor::StopIdle(absl::Duration idle) {
  std::vector<std::shared_ptr<Child>> idle_children;
  {
    absl::MutexLock lock(&mu_);
    for (auto& [program, entry] : entries_) {
      const bool unused = entry->child != nullptr && entry->child.use_count() == 1;
      if (unused && clock_.Steady() - entry->last_used > idle) {
        idle_children.push_back(std::move(entry->child));
        entry->child = nullptr;
      }
    }
  }
  for (const std::shared_ptr<Child>& child : idle_children) child->Stop(kStopGrace);
}

bool Supervisor::AnyChildLocked() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const auto& entry) { return entry.second->child != nullptr; });
}

void Supervisor::Watch() {
  for (;;) {
    {
      absl::MutexLock lock(&mu_);
      // Without children this process has nothing to wake up for.
      const auto awaited = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
        return stopping_ || AnyChildLocked();
      };
      mu_.Await(absl::Condition(&awaited));
      const auto stopping = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stopping_; };
      if (mu_.AwaitWithTimeout(absl::Condition(&stopping), options_.watch_interval)) return;
    }
    WatchOnce();
  }
}

void Supervisor::WatchOnce() {
  std::vector<std::pair<std::string, std::shared_ptr<Child>>> children;
  std::vector<std::pair<std::string, std::shared_ptr<Child>>> to_probe;
  {
    absl::MutexLock lock(&mu_);
    const absl::Duration now = clock_.Steady();
    for (auto& [program, entry] : entries_) {
      if (entry->child == nullptr || !entry->child->alive()) continue;
      children.emplace_back(program, entry->child);
      if (entry->probing || now - entry->probed < options_.probe_interval) continue;
      entry->probing = true;
      entry->probed = now;
      ++probes_;
      to_probe.emplace_back(program, entry->child);
    }
  }
  for (const auto& [program, child] : children) {
    const int64_t bytes = child->ResidentBytes();
    metrics_.Set("child_resident_bytes", {{"program", program}}, static_cast<double>(bytes));
    if (bytes <= options_.memory_limit_bytes) continue;
    child->Kill(absl::StrCat("it took ", bytes >> 20, " MiB of memory, more than ",
                             options_.memory_limit_bytes >> 20));
  }
  for (const auto& [program, child] : to_probe) Probe(program, child);
  // The last owner must not be this thread, on which nobody waits for the child's end.
  executor_.Run([children = std::move(children), to_probe = std::move(to_probe)] {});
}

namespace {

// A call that every server answers, with whatever status.
struct LifeSign {
  LifeSign(const common::Channel& channel, absl::Duration timeout)
      : stub(channel.grpc()), channel(channel) {
    channel.Prepare(context, timeout);
  }
  grpc::GenericStub stub;
  common::Channel channel;
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
};

}  // namespace

void Supervisor::Probe(const std::string& program, const std::shared_ptr<Child>& child) {
  auto sign = std::make_shared<LifeSign>(child->channel(), options_.probe_interval);
  const grpc::Slice nothing("", 0);
  sign->request = grpc::ByteBuffer(&nothing, 1);
  sign->stub.UnaryCall(&sign->context, "/grpc.health.v1.Health/Check", grpc::StubOptions(),
                       &sign->request, &sign->response,
                       [this, program, sign,
                        weak = std::weak_ptr<Child>(child)](const grpc::Status& status) mutable {
                         const bool answered =
                             status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED &&
                             status.error_code() != grpc::StatusCode::UNAVAILABLE;
                         // With the call itself: a channel must not end inside of a callback.
                         executor_.Run([this, program, sign = std::move(sign), weak, answered] {
                           ProbeEnded(program, weak, answered);
                         });
                       });
}

void Supervisor::ProbeEnded(const std::string& program, const std::weak_ptr<Child>& weak,
                            bool answered) {
  absl::MutexLock lock(&mu_);
  Entry& entry = *entries_[program];
  entry.probing = false;
  --probes_;
  const std::shared_ptr<Child> child = weak.lock();
  if (child == nullptr || child != entry.child) return;
  entry.missing = answered ? 0 : entry.missing + 1;
  if (entry.missing < options_.max_missing_answers) return;
  entry.missing = 0;
  child->Kill(
      absl::StrCat("it did not answer for ",
                   absl::FormatDuration(options_.probe_interval * options_.max_missing_answers)));
}

void Supervisor::Shutdown() {
  std::vector<std::shared_ptr<Child>> children;
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    for (auto& [program, entry] : entries_) {
      if (entry->child != nullptr) children.push_back(std::move(entry->child));
    }
  }
  if (watcher_.joinable()) watcher_.join();
  for (const std::shared_ptr<Child>& child : children) child->Stop(kStopGrace);
  absl::MutexLock lock(&mu_);
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return probes_ == 0; };
  mu_.Await(absl::Condition(&none));
}

}  // namespace machine::orchestrator
