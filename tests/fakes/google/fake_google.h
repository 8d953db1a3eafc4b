// Compute Engine's API in memory: one project, its instances, disks, firewall rules and addresses,
// with operations that take their time.
#ifndef TESTS_FAKES_GOOGLE_FAKE_GOOGLE_H_
#define TESTS_FAKES_GOOGLE_FAKE_GOOGLE_H_

#include <cstdint>
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

namespace machine::fakes {

/// Every request is checked against the published description, where MACHINE_SPECS_DIR has it. A
/// mutation without a request id fails the test; one whose id came before is answered as before.
/// Thread-safe.
class FakeGoogle final : public FakeServer {
 public:
  static constexpr char kProject[] = "my-project";
  static constexpr char kToken[] = "ya29.a-very-secret-token";

  FakeGoogle();
  ~FakeGoogle() override;

  /// What --google-endpoint is set to.
  std::string endpoint() const { return url() + "/compute/v1"; }
  /// Whether requests are checked against the published description.
  bool checked() const { return checked_; }

  /// The only token that counts from now on.
  void SetToken(absl::string_view token);
  /// A just-made instance is unknown in its first `reads` reads.
  void SetLag(int reads);
  /// How many reads an operation needs to get on; counts for those under way, too.
  void SetPace(int reads);
  /// The next operation ends with this error; the disk of a failed insert stays.
  void FailNextOperation(absl::string_view code, absl::string_view message);
  /// The next `times` mutations are refused with 403 and `reason`.
  void RefuseMutations(absl::string_view reason, int times);
  /// A zone that lists cannot reach.
  void SetUnreachable(absl::string_view zone);
  /// The next change of labels, metadata or tags meets one of somebody else.
  void ChangeFingerprintOnce();

  std::vector<std::string> InstanceNames() const;
  std::vector<std::string> DiskNames() const;
  std::vector<std::string> FirewallNames() const;
  std::vector<std::string> AddressNames() const;
  /// As a read shows it; null where there is none.
  nlohmann::json InstanceNamed(absl::string_view name) const;
  /// As it was asked for.
  nlohmann::json LastCreate() const;
  nlohmann::json LastFirewall() const;
  /// Ids of all mutations so far.
  std::set<std::string> RequestIds() const;

  /// As a user does in the console.
  void DestroyInstances(absl::string_view uid);
  void SetStatus(absl::string_view uid, absl::string_view status);
  void AddAddress(absl::string_view name, absl::string_view ip);
  /// A running instance of the user's, with this ssh key.
  void AddInstance(absl::string_view name, absl::string_view ssh_keys);
  /// `count` running instances in two zones, with docker-machine's labels and uids "0", "1" …
  void AddMachines(int count);

 private:
  using Json = nlohmann::json;
  using Handler = Response (FakeGoogle::*)(const Request&);

  struct Pending {
    Json json;
    int reads_left = 0;
    std::function<void()> finish;
    std::function<void()> fail;
  };

  Response Authorized(const Request& request, Handler handler);
  void Add(absl::string_view method, absl::string_view pattern, Handler handler);
  void AddRoutes();

  Response GetProject(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListZones(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListMachineTypes(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListDiskTypes(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetImage(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetFamily(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListImages(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetNetwork(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListNetworks(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetSubnetwork(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetAddress(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListAddresses(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateAddress(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteAddress(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetFirewall(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateFirewall(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteFirewall(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response AggregatedList(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListInstances(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetInstance(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateInstance(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteInstance(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response Act(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetDisk(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteDisk(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetOperation(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Response Page(const Request& request, const std::vector<Json>& all) const;
  Response Found(const std::map<std::string, Json>& things, const std::string& key) const;
  /// Begins an operation; `finish` runs when it is done, with the lock held.
  Response Begin(const Request& request, absl::string_view scope, std::function<void()> finish,
                 std::function<void()> fail = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// Time goes on with each read.
  void Tick() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Change(Json& instance, absl::string_view verb, const Json& body)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run(Json& instance) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Json NewInstance(absl::string_view zone, const Json& wanted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  bool checked_ = false;
  mutable absl::Mutex mu_;
  std::string token_ ABSL_GUARDED_BY(mu_) = kToken;
  Lag lag_ ABSL_GUARDED_BY(mu_);
  int pace_ ABSL_GUARDED_BY(mu_) = 1;
  int64_t next_id_ ABSL_GUARDED_BY(mu_) = 4'000'000'000'000'000'000;
  Json next_failure_ ABSL_GUARDED_BY(mu_);
  std::string refusal_ ABSL_GUARDED_BY(mu_);
  int refusals_left_ ABSL_GUARDED_BY(mu_) = 0;
  std::string unreachable_ ABSL_GUARDED_BY(mu_);
  bool change_fingerprint_ ABSL_GUARDED_BY(mu_) = false;
  // By "ZONE/NAME" or name.
  std::map<std::string, Json> instances_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Json> disks_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Json> firewalls_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Json> addresses_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Pending> operations_ ABSL_GUARDED_BY(mu_);
  // The operation of each request id.
  std::map<std::string, std::string> request_ids_ ABSL_GUARDED_BY(mu_);
  Json last_create_ ABSL_GUARDED_BY(mu_);
  Json last_firewall_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_GOOGLE_FAKE_GOOGLE_H_
