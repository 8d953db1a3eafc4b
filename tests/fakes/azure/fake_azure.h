// Azure Resource Manager in memory: one subscription, its resource groups and what is in them, with
// operations that take their time.
#ifndef TESTS_FAKES_AZURE_FAKE_AZURE_H_
#define TESTS_FAKES_AZURE_FAKE_AZURE_H_

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes {

/// Every request is checked against the published descriptions, where MACHINE_SPECS_DIR has them.
/// Operations are followed by Azure-AsyncOperation (compute), Location (deletions) or the resource
/// itself (networks). Thread-safe.
class FakeAzure final : public FakeServer {
 public:
  static constexpr char kSubscription[] = "d255d8d7-5af0-4f5c-8a3e-1545044b861e";
  static constexpr char kTenant[] = "72f988bf-86f1-41af-91ab-2d7cd011db47";
  static constexpr char kToken[] = "eyJ0.a-very-secret-token";

  FakeAzure();
  ~FakeAzure() override;

  /// Whether requests are checked against the published descriptions.
  bool checked() const { return checked_; }

  /// The only token that counts from now on.
  void SetToken(absl::string_view token);
  /// A just-made group is unknown, and a just-made resource unseen, in its first `reads` reads.
  void SetLag(int reads);
  /// How many reads an operation needs to get on; counts for those under way, too.
  void SetPace(int reads);
  /// The next virtual machine that is asked for ends as Failed, with this error.
  void FailNextMachine(absl::string_view code, absl::string_view message);
  /// The next operation's URL leads to another host.
  void MisleadNext();
  void SetSubscriptionState(absl::string_view state);
  /// As in a new subscription.
  void Unregister(absl::string_view provider);

  /// Paths of all resources, "GROUP/TYPE/NAME", sorted.
  std::vector<std::string> ResourceNames() const;
  std::vector<std::string> GroupNames() const;
  std::vector<std::string> MachineNames() const;
  /// As it was asked for last; null where none was. `type` as "virtualMachines".
  nlohmann::json LastPut(absl::string_view type) const;

  /// As a user does in the portal: the virtual machine alone, or with its group.
  void DestroyMachines(absl::string_view uid);
  /// "running", "stopped" …; empty for none.
  void SetPower(absl::string_view uid, absl::string_view power);
  void SetProvisioning(absl::string_view uid, absl::string_view state);
  void AddGroup(absl::string_view name, absl::string_view location);
  void AddNetwork(absl::string_view group, absl::string_view name, absl::string_view subnet);
  /// Somebody else's, without tags. `type` as "networkInterfaces".
  void AddForeign(absl::string_view group, absl::string_view type, absl::string_view name);
  /// `count` running ones, each in a group of its own as the driver names it for `uids`.
  void AddMachines(const std::vector<std::string>& uids);

 private:
  using Json = nlohmann::json;
  using Handler = Response (FakeAzure::*)(const Request&);

  struct Pending {
    int reads_left = 0;
    /// Null while all is well.
    Json error;
    std::function<void()> finish;
  };

  void Add(absl::string_view method, absl::string_view pattern, Handler handler);
  void AddRoutes();
  Response Authorized(const Request& request, Handler handler);

  Response GetSubscription(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListLocations(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetProvider(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response RegisterProvider(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListSkus(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListOffers(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListImageSkus(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListVersions(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListGroups(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetGroup(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response PutGroup(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteGroup(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetResource(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response PutResource(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteResource(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListMachines(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response Act(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetOperation(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetResult(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  /// Begins an operation and gives its id; `finish` runs when it is done, with the lock held.
  std::string Begin(std::function<void()> finish, Json error = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// Time goes on with each read.
  void Tick() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// Where an operation is to be looked for; `kind` is "operations" or "results".
  std::string UrlOf(absl::string_view kind, absl::string_view id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool GroupShows(const std::string& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// An error where what `body` refers to is not there; null where it is.
  Json MissingReference(const Json& body) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// The resource that uses `id`; empty where none does.
  std::string UserOf(const std::string& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Settle(const std::string& key, Json& resource) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Json Shown(const Json& resource, bool with_power, bool power_only) const;
  Json* MachineOf(absl::string_view uid) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  bool checked_ = false;
  mutable absl::Mutex mu_;
  std::string token_ ABSL_GUARDED_BY(mu_) = kToken;
  Lag lag_ ABSL_GUARDED_BY(mu_);
  int pace_ ABSL_GUARDED_BY(mu_) = 1;
  int next_id_ ABSL_GUARDED_BY(mu_) = 0;
  Json next_failure_ ABSL_GUARDED_BY(mu_);
  bool mislead_ ABSL_GUARDED_BY(mu_) = false;
  std::string subscription_state_ ABSL_GUARDED_BY(mu_) = "Enabled";
  // Reads until it is registered; 0 for those that are.
  std::map<std::string, int> registrations_ ABSL_GUARDED_BY(mu_);
  // By name, in lower case.
  std::map<std::string, Json> groups_ ABSL_GUARDED_BY(mu_);
  // By "GROUP/TYPE/NAME", in lower case. Power is in the member "power".
  std::map<std::string, Json> resources_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Pending> operations_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Json> last_puts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_AZURE_FAKE_AZURE_H_
