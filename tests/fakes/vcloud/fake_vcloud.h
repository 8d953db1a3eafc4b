// VMware Cloud Director in memory: organisations, catalogues, vApps and an edge gateway, which
// NSX-V backs, or NSX-T.
#ifndef TESTS_FAKES_VCLOUD_FAKE_VCLOUD_H_
#define TESTS_FAKES_VCLOUD_FAKE_VCLOUD_H_

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/fakes/http/fake_server.h"
#include "tests/fakes/vcloud/nsxt_edge.h"

namespace machine::fakes {

/// Organisation "acme" with virtual data center "vdc1", networks "vdc1-default-routed" and "other",
/// catalogues "Public Catalog" (item "Ubuntu 24.04") and "mine" (empty), edge gateway "vdc1" with
/// addresses 203.0.113.1 to 203.0.113.20 and rules of somebody else's. Bodies of XML are validated
/// by the schemas in MACHINE_SPECS_DIR where they and xmllint are there, requests to the OpenAPI
/// always, by cloudapi.h. Thread-safe.
class FakeVcloud : public FakeServer {
 public:
  static constexpr char kOrg[] = "acme";
  static constexpr char kUser[] = "machine";
  static constexpr char kPassword[] = "correct horse";
  static constexpr char kToken[] = "api-token-1";

  FakeVcloud();
  ~FakeVcloud() override;

  /// The edge gateway's id in URLs.
  static constexpr char kGatewayUuid[] = "00000000-0000-4000-8000-000000000001";

  /// Whether bodies of XML are validated.
  static bool CanValidate();

  /// Ends all sessions.
  void Expire();
  /// Each task is still running in its first `looks` looks.
  void SetTaskLooks(int looks);
  /// The next tasks end with this error code; empty for none.
  void FailNextTask(absl::string_view code);
  /// Answers the next `times` requests with effect by BUSY_ENTITY.
  void BeBusy(int times);
  /// How the edge gateway is backed.
  enum class Gateway {
    /// NSX-V: it takes rules by configureServices, to which it links.
    kNsxV,
    /// The same without that link, as for a user who may not.
    kNsxVToRead,
    /// NSX-T: it takes rules by the OpenAPI, one thing at a time.
    kNsxT,
  };
  void BackGateway(Gateway gateway);
  /// The gateway of NSX-T belongs to a VDC group.
  void JoinVdcGroup();
  /// Somebody else forwards this port of the public address 203.0.113.5.
  void TakePort(absl::string_view name, int port);
  /// Adds `count` NAT rules, port profiles and IP sets of somebody else's to the gateway of NSX-T.
  void AddToEdge(int count);
  /// The versions of the API that it speaks, "37.0".
  void OfferVersions(std::vector<std::string> versions);
  /// Removes a vApp behind everybody's back.
  void Vanish(absl::string_view name);
  /// Makes `count` machines that run, with names of `prefix` and a number.
  void AddMachines(int count, absl::string_view prefix);

  std::vector<std::string> VappNames() const;
  /// Of those that are powered on.
  std::vector<std::string> RunningVapps() const;
  /// Descriptions of the rules of the gateway of NSX-V.
  std::vector<std::string> Rules() const;
  /// Names of all rules, IP sets and port profiles of that of NSX-T.
  std::vector<std::string> EdgeNames() const;
  /// A rule or an IP set of that name there; null for none.
  nlohmann::json EdgeRule(absl::string_view name) const;

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
    std::function<void()> effect;
  };

  void AddReads();
  void AddVappActions();
  void AddNsxtReads();
  void AddNsxtEffects();
  Response Login(const Request& request);
  Response Query(const Request& request);
  Response Compose(const Request& request);
  Response Act(const Request& request, const std::string& action);
  Response Configure(const Request& request);
  Response ChangeEdge(const Request& request, const std::function<absl::StatusOr<NsxtEdge::Effect>(
                                                  const Request&, const nlohmann::json&)>& change);
  static Response RefuseJson(int status, absl::string_view code, absl::string_view message);
  std::string StartTask(const std::string& action, int vapp, std::function<void()> effect = {})
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
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
  NsxtEdge edge_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> versions_ ABSL_GUARDED_BY(mu_) = {"36.3", "37.0", "38.1", "39.0"};
  int next_ ABSL_GUARDED_BY(mu_) = 1;
  int task_looks_ ABSL_GUARDED_BY(mu_) = 0;
  int busy_ ABSL_GUARDED_BY(mu_) = 0;
  std::string next_error_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_VCLOUD_FAKE_VCLOUD_H_
