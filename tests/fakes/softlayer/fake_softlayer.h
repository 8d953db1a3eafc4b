// SoftLayer's REST API in memory: one account and its virtual guests.
#ifndef TESTS_FAKES_SOFTLAYER_FAKE_SOFTLAYER_H_
#define TESTS_FAKES_SOFTLAYER_FAKE_SOFTLAYER_H_

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

/// Where MACHINE_SPECS_DIR has SoftLayer's table of methods, every request is checked against it;
/// see checked(). Orders and power take transactions of a few reads. Thread-safe.
class FakeSoftLayer final : public FakeServer {
 public:
  static constexpr char kUser[] = "SL123456";
  static constexpr char kApiKey[] = "a-very-secret-api-key";

  FakeSoftLayer();
  ~FakeSoftLayer() override;

  /// With "/rest/v3.1".
  std::string endpoint() const;
  /// Whether requests are checked against SoftLayer's own table.
  bool checked() const { return checked_; }

  /// A just-made guest is unknown in its first `reads` reads.
  void SetLag(int reads);
  /// A guest that does not obey "powerOffSoft".
  void IgnoreStop(bool ignore);
  /// Every order is refused with this.
  void RefuseOrders(absl::string_view code, absl::string_view error, int status = 500);
  /// The next method of a guest that changes it is not carried out, and answered with status 200
  /// and this error.
  void FailNextChange(absl::string_view error);
  /// Lists of one come without brackets.
  void OmitBrackets();
  void CloseDatacenter(absl::string_view name);
  /// A key that the user put there.
  int64_t AddSshKey(absl::string_view label, absl::string_view key);

  std::vector<std::string> GuestNames() const;
  std::vector<std::string> KeyLabels() const;
  std::vector<std::string> SecurityGroupNames() const;
  /// "ingress 22 203.0.113.0/24" for each rule of all groups.
  std::vector<std::string> Rules() const;
  /// As it was asked for.
  nlohmann::json LastCreate() const;
  std::string LastTags() const;

  /// As a user does in the control panel.
  void DestroyGuests(absl::string_view mark);
  void SetPower(absl::string_view mark, absl::string_view power);
  /// `count` running guests, with user data PREFIX, number and SUFFIX.
  void AddGuests(int count, absl::string_view prefix, absl::string_view suffix);
  /// Takes the user data off, as those that the original made have none. Returns the id of the
  /// last.
  int64_t StripMarks();

 private:
  using Json = nlohmann::json;
  using Objects = std::map<int64_t, Json>;
  using Handler = Response (FakeSoftLayer::*)(const Request&);

  void Add(absl::string_view method, absl::string_view path, Handler handler);
  Response Authorized(const Request& request, Handler handler);

  Response GetOptions(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListVlans(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListKeys(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateKey(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteKey(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListGroups(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateGroup(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response AddRules(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteGroup(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CheckOrder(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateGuest(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListGuests(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// Methods of one guest.
  Response CallGuest(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response SetTags(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Response Page(const Request& request, const std::vector<Json>& all)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Json NewGuest(const Json& wanted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// As it is shown; time goes on with each read. Null once it is gone.
  Json Read(int64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  bool checked_ = false;
  mutable absl::Mutex mu_;
  Lag lag_ ABSL_GUARDED_BY(mu_);
  bool ignore_stop_ ABSL_GUARDED_BY(mu_) = false;
  int64_t last_id_ ABSL_GUARDED_BY(mu_) = 1000;
  Json refusal_ ABSL_GUARDED_BY(mu_);
  int refusal_status_ ABSL_GUARDED_BY(mu_) = 500;
  std::string next_failure_ ABSL_GUARDED_BY(mu_);
  bool omit_brackets_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::string> datacenters_ ABSL_GUARDED_BY(mu_) = {"ams03", "dal01", "dal13"};
  Objects keys_ ABSL_GUARDED_BY(mu_);
  Objects groups_ ABSL_GUARDED_BY(mu_);
  Objects guests_ ABSL_GUARDED_BY(mu_);
  Json last_create_ ABSL_GUARDED_BY(mu_);
  std::string last_tags_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_SOFTLAYER_FAKE_SOFTLAYER_H_
