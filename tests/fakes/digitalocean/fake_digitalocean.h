// DigitalOcean's API in memory: one account, its droplets, keys, firewalls and tags, with actions
// that take their time.
#ifndef TESTS_FAKES_DIGITALOCEAN_FAKE_DIGITALOCEAN_H_
#define TESTS_FAKES_DIGITALOCEAN_FAKE_DIGITALOCEAN_H_

#include <cstdint>
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

/// Every request is checked against the published description, where MACHINE_SPECS_DIR has it.
/// Thread-safe.
class FakeDigitalOcean final : public FakeServer {
 public:
  static constexpr char kToken[] = "dop_v1_a-very-secret-token";

  FakeDigitalOcean();
  ~FakeDigitalOcean() override;

  /// Whether requests are checked against the published description.
  bool checked() const { return checked_; }

  /// A just-made droplet is unknown in its first `reads` reads.
  void SetLag(int reads);
  /// How many reads a droplet or an action needs to get on.
  void SetPace(int reads);
  /// A guest that does not obey `shutdown`.
  void IgnoreShutdown(bool ignore);
  /// The next action ends in `errored`.
  void FailNextAction();
  void SetDropletLimit(int limit);

  /// Names of all droplets that are not being destroyed.
  std::vector<std::string> DropletNames() const;
  /// The droplets as a list shows them, whatever the lag.
  std::vector<nlohmann::json> Droplets() const;
  /// As it was asked for.
  nlohmann::json LastCreate() const;
  std::vector<std::string> KeyNames() const;
  std::vector<std::string> FirewallNames() const;
  nlohmann::json LastFirewall() const;
  std::set<std::string> Tags() const;

  /// As a user does in the control panel.
  void DestroyDroplets(absl::string_view tag);
  void SetStatus(absl::string_view tag, absl::string_view status);
  int64_t AddKey(absl::string_view name, absl::string_view public_key,
                 absl::string_view fingerprint);
  /// `count` running droplets, each with `tag` and "PREFIX-N" as a tag.
  void AddDroplets(int count, absl::string_view tag, absl::string_view prefix);

 private:
  using Json = nlohmann::json;

  struct Droplet {
    Json json;
    int reads_until_active = 0;
    /// The last action; while it is under way the droplet is locked.
    int64_t action = 0;
  };
  struct Action {
    int64_t id;
    int64_t droplet;
    std::string type;
    std::string status = "in-progress";
    int reads_left = 0;
    bool fails = false;
  };

  Response Authorized(const Request& request,
                      Response (FakeDigitalOcean::*handler)(const Request&));
  void Add(absl::string_view method, absl::string_view pattern,
           Response (FakeDigitalOcean::*handler)(const Request&));

  Response GetAccount(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListRegions(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListSizes(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListImages(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetImage(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListVpcs(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListKeys(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetKey(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateKey(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteKey(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListDroplets(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateDroplet(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetDroplet(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteDroplet(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response Act(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetAction(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateTag(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteTag(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListFirewalls(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateFirewall(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteFirewall(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Response Page(const Request& request, absl::string_view key, const std::vector<Json>& all) const;
  Droplet* FindDroplet(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t NewDroplet(const Json& wanted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Advance(Droplet& droplet) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Advance(Action& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Finish(Action& action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  bool checked_ = false;
  mutable absl::Mutex mu_;
  Lag lag_ ABSL_GUARDED_BY(mu_);
  int pace_ ABSL_GUARDED_BY(mu_) = 1;
  bool ignore_shutdown_ ABSL_GUARDED_BY(mu_) = false;
  bool fail_next_action_ ABSL_GUARDED_BY(mu_) = false;
  int droplet_limit_ ABSL_GUARDED_BY(mu_) = 2000;
  int64_t next_id_ ABSL_GUARDED_BY(mu_) = 3'164'444;
  std::map<int64_t, Droplet> droplets_ ABSL_GUARDED_BY(mu_);
  std::map<int64_t, Action> actions_ ABSL_GUARDED_BY(mu_);
  std::map<int64_t, Json> keys_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Json> firewalls_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> tags_ ABSL_GUARDED_BY(mu_);
  Json last_create_ ABSL_GUARDED_BY(mu_);
  Json last_firewall_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_DIGITALOCEAN_FAKE_DIGITALOCEAN_H_
