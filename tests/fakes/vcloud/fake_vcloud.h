// VMware Cloud Director in memory: organisations, catalogues, vApps and an edge gateway.
#ifndef TESTS_FAKES_VCLOUD_FAKE_VCLOUD_H_
#define TESTS_FAKES_VCLOUD_FAKE_VCLOUD_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes {

/// Organisation "acme" with virtual data center "vdc1", networks "vdc1-default-routed" and "other",
/// catalogues "Public Catalog" (item "Ubuntu 24.04") and "mine" (empty), edge gateway "vdc1" with
/// one rule of somebody else's. Every body is validated by the schemas in MACHINE_SPECS_DIR where
/// they and xmllint are there. Thread-safe.
class FakeVcloud : public FakeServer {
 public:
  static constexpr char kOrg[] = "acme";
  static constexpr char kUser[] = "machine";
  static constexpr char kPassword[] = "correct horse";
  static constexpr char kToken[] = "api-token-1";

  FakeVcloud();
  ~FakeVcloud() override;

  /// Whether bodies are validated.
  static bool CanValidate();

  /// Ends all sessions.
  void Expire();
  /// Each task is still running in its first `looks` looks.
  void SetTaskLooks(int looks);
  /// The next tasks end with this error code; empty for none.
  void FailNextTask(absl::string_view code);
  /// Answers the next `times` requests with effect by BUSY_ENTITY.
  void BeBusy(int times);
  /// How the edge gateway is backed, and how much of that it tells.
  enum class Gateway {
    /// NSX-V: it takes rules by configureServices, to which it links.
    kNsxV,
    /// NSX-T, told by the query or by the gateway itself.
    kNsxTInQuery,
    kNsxTInGateway,
    /// It does not tell how it is backed, and has no link to configureServices.
    kNoRules,
  };
  void BackGateway(Gateway gateway);
  /// Removes a vApp behind everybody's back.
  void Vanish(absl::string_view name);
  /// Makes `count` machines that run, with names of `prefix` and a number.
  void AddMachines(int count, absl::string_view prefix);

  std::vector<std::string> VappNames() const;
  /// Descriptions of the gateway's rules.
  std::vector<std::string> Rules() const;

 private:
  struct Vapp {
    std::string name;
    std::string description;
    std::string vm_name;
    std::string status = "UNRESOLVED";
    bool has_vm = false;
    bool deployed = false;
    int cpus = 1;
    int memory_mib = 1024;
    int number = 0;
    std::string task;
  };
  struct Task {
    int looks = 0;
    std::string error;
    /// What to do to vApp `vapp` at its end.
    std::string action;
    int vapp = 0;
  };

  void AddReads();
  void AddVappActions();
  Response Login(const Request& request);
  Response Query(const Request& request);
  Response Compose(const Request& request);
  Response Act(const Request& request, const std::string& action);
  Response Configure(const Request& request);
  std::string StartTask(const std::string& action, int vapp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Finish(const Task& task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string VappXml(const Vapp& vapp) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string TaskXml(const std::string& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Vapp* Find(const std::string& number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Knows(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string Href(absl::string_view path) const;
  Handler Guarded(Handler handler, bool effect);

  mutable absl::Mutex mu_;
  std::set<std::string> sessions_ ABSL_GUARDED_BY(mu_);
  std::map<int, Vapp> vapps_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Task> tasks_ ABSL_GUARDED_BY(mu_);
  /// As XML elements, by service.
  std::string services_ ABSL_GUARDED_BY(mu_);
  Gateway gateway_ ABSL_GUARDED_BY(mu_) = Gateway::kNsxV;
  int next_ ABSL_GUARDED_BY(mu_) = 1;
  int task_looks_ ABSL_GUARDED_BY(mu_) = 0;
  int busy_ ABSL_GUARDED_BY(mu_) = 0;
  std::string next_error_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_VCLOUD_FAKE_VCLOUD_H_
