// Exoscale's API v2 in memory: one account in one zone.
#ifndef TESTS_FAKES_EXOSCALE_FAKE_EXOSCALE_H_
#define TESTS_FAKES_EXOSCALE_FAKE_EXOSCALE_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes {

/// The zone is ch-gva-2. Where MACHINE_SPECS_DIR has Exoscale's description, every request is
/// checked against it; see checked(). Thread-safe.
class FakeExoscale final : public FakeServer {
 public:
  static constexpr char kKey[] = "EXOabcdef0123456789abcdef";
  static constexpr char kSecret[] = "a-very-secret-secret";

  FakeExoscale();
  ~FakeExoscale() override;

  /// Whether requests are checked against Exoscale's own description.
  bool checked() const { return checked_; }

  /// A just-made instance is unknown in its first `reads` reads.
  void SetLag(int reads);
  /// A guest, and a hypervisor, that does not obey "stop".
  void IgnoreStop(bool ignore);
  void SetLimit(int instances);
  /// The operation that makes the next instance fails, and nothing is made.
  void FailNextInstance(absl::string_view reason, absl::string_view message);
  /// A security group of the user's own, without rules.
  void AddSecurityGroup(absl::string_view name);
  void AddPrivateNetwork(absl::string_view name);
  void AddSshKey(absl::string_view name);
  /// A template of the account's own.
  void AddTemplate(absl::string_view name);

  std::vector<std::string> InstanceNames() const;
  std::vector<std::string> KeyNames() const;
  std::vector<std::string> SecurityGroupNames() const;
  std::vector<std::string> AffinityGroupNames() const;
  /// "22 203.0.113.0/24" for each rule of a security group, sorted.
  std::vector<std::string> RulesOf(absl::string_view group) const;
  /// As it was asked for.
  nlohmann::json LastCreate() const;
  /// The name of what has an id; empty where there is none.
  std::string NameOf(const std::string& id) const;

  /// As a user does in the portal.
  void DestroyInstances(absl::string_view uid);
  void SetState(absl::string_view uid, absl::string_view state);
  /// `count` running instances with the uids "0", "1" ….
  void AddInstances(int count);
  /// Takes the labels off, as those that the original made have none. Returns the id of the last.
  std::string StripLabels();

 private:
  using Json = nlohmann::json;
  using Objects = std::map<std::string, Json>;
  using Handler = Response (FakeExoscale::*)(const Request&);

  void Add(absl::string_view method, absl::string_view pattern, Handler handler);
  void AddCatalog();
  Response Authorized(const Request& request, Handler handler);
  bool IsSigned(const Request& request) const;

  Response ListZones(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListTypes(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListTemplates(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListKeys(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateKey(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteKey(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListGroups(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetGroup(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateGroup(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response AddRule(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteGroup(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListAffinity(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateAffinity(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteAffinity(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListNetworks(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetNetwork(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response Attach(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListInstances(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateInstance(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetInstance(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteInstance(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response Act(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetOperation(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  std::string NewId() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// Begins an operation about `reference` that ends with the next read of it.
  Response Begin(const std::string& reference) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateNamed(const Request& request, Objects& objects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// Whether an instance names `id` under `key`.
  bool InUse(const std::string& key, const std::string& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Json NewInstance(const Json& wanted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// Time goes on with each read: what is under way gets to its end. False once it is gone.
  bool Advance(Json& instance) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  bool checked_ = false;
  mutable absl::Mutex mu_;
  Lag lag_ ABSL_GUARDED_BY(mu_);
  bool ignore_stop_ ABSL_GUARDED_BY(mu_) = false;
  int limit_ ABSL_GUARDED_BY(mu_) = 2000;
  int64_t last_id_ ABSL_GUARDED_BY(mu_) = 0;
  Json failure_ ABSL_GUARDED_BY(mu_);
  Objects types_ ABSL_GUARDED_BY(mu_);
  Objects templates_ ABSL_GUARDED_BY(mu_);
  Objects keys_ ABSL_GUARDED_BY(mu_);
  Objects groups_ ABSL_GUARDED_BY(mu_);
  Objects affinity_ ABSL_GUARDED_BY(mu_);
  Objects networks_ ABSL_GUARDED_BY(mu_);
  Objects instances_ ABSL_GUARDED_BY(mu_);
  Objects operations_ ABSL_GUARDED_BY(mu_);
  Json last_create_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_EXOSCALE_FAKE_EXOSCALE_H_
