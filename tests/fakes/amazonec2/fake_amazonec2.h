// EC2's API in memory: one account with its instances, key pairs, security groups, spot requests
// and volumes, in regions that show the same; and the parameters of SSM.
#ifndef TESTS_FAKES_AMAZONEC2_FAKE_AMAZONEC2_H_
#define TESTS_FAKES_AMAZONEC2_FAKE_AMAZONEC2_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/fakes/amazonec2/service_model.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes {

/// Every request is checked against the published description, where MACHINE_SPECS_DIR has it.
/// Routes are named "POST / RunInstances". Signatures are not verified, only whose they are: see
/// tests/fakes/moto for that. Thread-safe.
class FakeAmazonEc2 final : public FakeServer {
 public:
  static constexpr char kAccessKey[] = "AKIAFAKEFAKEFAKEFAKE";
  static constexpr char kSecretKey[] = "a-very-secret-access-key";

  FakeAmazonEc2();
  ~FakeAmazonEc2() override;

  /// Whether requests are checked against the published description.
  bool checked() const { return checked_; }

  /// What is just made is unknown in its first `reads` reads.
  void SetLag(int reads);
  /// How many reads an instance needs to change its state.
  void SetPace(int reads);
  /// A guest that does not obey a stop without force.
  void IgnoreShutdown(bool ignore);
  /// The next instance ends before it runs.
  void FailNextLaunch();
  void SetQuota(int instances);
  /// SSM refuses to be asked.
  void ForbidSsm();
  /// Instance types that no zone offers any longer.
  void WithdrawType(absl::string_view type);

  /// Ids of all instances that have not ended.
  std::vector<std::string> InstanceIds() const;
  /// The parameters of the last RunInstances.
  Form LastRun() const;
  std::vector<std::string> KeyNames() const;
  /// But for the default ones.
  std::vector<std::string> GroupNames() const;
  /// As "2376 from 0.0.0.0/0".
  std::set<std::string> RulesOf(absl::string_view group_name) const;
  std::vector<std::string> OpenSpotRequests() const;
  std::vector<std::string> Volumes() const;

  /// As a user does in the console.
  void Terminate(absl::string_view uid);
  void SetState(absl::string_view uid, absl::string_view state);
  /// AWS takes a spot instance back; its request, for one instance, is closed.
  void Interrupt(absl::string_view uid);
  void AddKey(absl::string_view name);
  void AddGroup(absl::string_view name);
  /// A disk of machine `uid` that its instance left.
  void AddVolume(absl::string_view uid);
  /// `count` running instances of machines with uids "0", "1", …
  void AddInstances(int count);

 private:
  using Tags = std::map<std::string, std::string>;
  /// What filters see of an object: values by field.
  using Fields = std::multimap<std::string, std::string>;

  struct Instance {
    std::string state = "pending";
    std::string goal = "running";
    int reads_left = 0;
    bool fails = false;
    Form run;
    std::vector<std::string> groups;
    std::string spot_request;
    bool interrupted = false;
    Tags tags;
    int number = 0;
  };
  struct Group {
    std::string name;
    std::string vpc;
    Tags tags;
    std::set<std::string> rules;
  };
  struct SpotRequest {
    std::string state = "active";
    Tags tags;
  };
  /// The inside of an answer, or an error "Code: words".
  using Answer = absl::StatusOr<std::string>;
  using Handler = Answer (FakeAmazonEc2::*)(const Form&);

  Response Serve(const Request& request);
  Response GetParameter(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckRequest(const Request& request) const;

  Answer DescribeRegions(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DescribeInstanceTypes(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DescribeOfferings(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DescribeImages(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DescribeVpcs(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DescribeSubnets(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DescribeKeyPairs(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer ImportKeyPair(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DeleteKeyPair(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DescribeGroups(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer CreateGroup(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer AuthorizeIngress(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DeleteGroup(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DescribeInstances(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer RunInstances(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer StartInstances(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer StopInstances(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer RebootInstances(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer TerminateInstances(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DescribeSpot(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer CancelSpot(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DescribeVolumes(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer DeleteVolume(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Status CheckLaunch(const Form& form) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Advance(Instance& instance) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// The instance that InstanceId.1 names; null where there is none.
  Instance* Known(const Form& form) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string Show(const std::string& id, const Instance& instance) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Fields FieldsOf(const std::string& id, const Instance& instance) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  bool checked_ = false;
  std::vector<ServiceModel> models_;
  std::map<std::string, Handler> actions_;
  mutable absl::Mutex mu_;
  Lag lag_ ABSL_GUARDED_BY(mu_);
  int pace_ ABSL_GUARDED_BY(mu_) = 1;
  bool ignore_shutdown_ ABSL_GUARDED_BY(mu_) = false;
  bool fail_next_launch_ ABSL_GUARDED_BY(mu_) = false;
  bool forbid_ssm_ ABSL_GUARDED_BY(mu_) = false;
  int quota_ ABSL_GUARDED_BY(mu_) = 2000;
  int next_id_ ABSL_GUARDED_BY(mu_) = 1000;
  std::set<std::string> withdrawn_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Instance> instances_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> tokens_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Tags> keys_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Group> groups_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, SpotRequest> spot_requests_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Tags> volumes_ ABSL_GUARDED_BY(mu_);
  Form last_run_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_AMAZONEC2_FAKE_AMAZONEC2_H_
