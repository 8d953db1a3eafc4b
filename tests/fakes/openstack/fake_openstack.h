// An OpenStack cloud in memory: Keystone, Nova, Neutron, Glance and Cinder of one region, on one
// port and with paths, as DevStack has them; or Rackspace's Identity v2.0 and Cloud Servers.
#ifndef TESTS_FAKES_OPENSTACK_FAKE_OPENSTACK_H_
#define TESTS_FAKES_OPENSTACK_FAKE_OPENSTACK_H_

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes {

/// Every request is checked against the descriptions beside this file: what a service does not
/// know is refused and fails the test. Thread-safe.
class FakeOpenStack final : public FakeServer {
 public:
  enum class Style { kDevStack, kRackspace };

  static constexpr char kPassword[] = "a-very-secret-password";
  static constexpr char kApplicationSecret[] = "a-very-secret-application-secret";
  static constexpr char kApiKey[] = "a-very-secret-api-key";
  static constexpr char kUserId[] = "5a39e7c6a5b94aa7b3f1d9b6f29b7c10";
  static constexpr char kProjectId[] = "6f70656e737461636b20342065766572";
  static constexpr char kPrivateNetwork[] = "10000000-0000-4000-8000-000000000001";
  static constexpr char kPublicNetwork[] = "10000000-0000-4000-8000-000000000002";
  static constexpr char kOpenNetwork[] = "10000000-0000-4000-8000-000000000003";
  static constexpr char kUbuntuImage[] = "20000000-0000-4000-8000-000000000003";

  explicit FakeOpenStack(Style style = Style::kDevStack);
  ~FakeOpenStack() override;

  /// Before or between requests.
  void SetLag(int reads);
  /// How many reads a server needs to get on.
  void SetPace(int reads);
  /// The compute API's newest version, "2.96"; empty for one without.
  void SetMicroversion(const std::string& newest);
  /// The catalogue's address of a service type, below url(): "/compute".
  void SetCatalogPath(const std::string& type, const std::string& path);
  void AddRegion(const std::string& region);
  void RemoveService(const std::string& type);
  /// How the end of a token is written, with %Y and so on of absl; RFC 3339 with Z by default.
  void SetExpiryFormat(const std::string& format);
  void SetTokenLifetime(absl::Duration lifetime);
  /// Every token that was issued is refused from now on.
  void RevokeTokens();
  /// A guest that does not obey os-stop.
  void IgnoreStop(bool ignore);
  /// The next server ends in ERROR for this reason.
  void FailNextServer(const std::string& reason);
  void SetServerLimit(size_t limit);
  void SetPageSize(size_t size);
  void AddNetwork(const std::string& id, const std::string& name, bool own, bool external);
  void AddFlavor(const std::string& id, const std::string& name, int ram, int disk);
  void AddImage(const std::string& id, const std::string& name);
  void AddKeyPair(const std::string& name, const std::string& public_key);
  std::string AddGroup(const std::string& name);
  std::string AddFreeFloatingIp(const std::string& ip);
  /// `count` running servers of machines "0", "1" …
  void AddServers(int count);

  /// Names of what is there beside what the cloud had at first.
  std::vector<std::string> ServerNames() const;
  std::vector<std::string> KeyPairNames() const;
  std::vector<std::string> GroupNames() const;
  std::vector<std::string> PortNames() const;
  std::vector<std::string> VolumeNames() const;
  std::vector<std::string> FloatingIps() const;
  std::vector<nlohmann::json> Servers() const;
  /// As they were asked for.
  nlohmann::json LastCreate() const;
  nlohmann::json LastAuth() const;
  nlohmann::json LastPort() const;
  nlohmann::json LastVolume() const;
  /// The rules of group `name`, as "tcp 22 203.0.113.0/24".
  std::set<std::string> RulesOf(const std::string& name) const;
  /// Header of the last request to Nova.
  std::string LastMicroversion() const;

  /// As a user does in the dashboard.
  void DestroyServers(absl::string_view uid);
  void SetStatus(absl::string_view uid, absl::string_view status, absl::string_view task = "");

 private:
  using Json = nlohmann::json;
  using Method = Response (FakeOpenStack::*)(const Request&);

  struct Server {
    Json json;
    int reads_left = 0;
    /// What it is when these are read.
    std::string next_status;
    bool deleting = false;
  };

  void AddFirst();
  void AddRoutes();
  void AddDescriptions();
  void Add(absl::string_view method, const std::string& pattern, Method handler);
  void AddOpen(absl::string_view method, const std::string& pattern, Method handler);
  std::string NewId() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Response Versions(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response SignIn(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ShowToken(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// What a token says of itself; of the project only where it is for one.
  Json TokenJson(const std::string& method, bool scoped) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response SignInV2(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListProjects(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Json Catalog() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string NewToken() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string Expiry() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Response ComputeVersions(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListServers(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateServer(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetServer(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteServer(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ActOnServer(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListFlavors(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetLimits(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListZones(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListKeyPairs(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateKeyPair(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetKeyPair(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteKeyPair(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int MinorOf(const Request& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response RefuseCreate(const Json& wanted, int minor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Server* FindServer(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Json Shown(const Server& server, int minor) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// False once it is gone.
  bool Advance(const std::string& id, Server& server) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LetGo(const std::string& server_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Response ListNetworks(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListPorts(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreatePort(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeletePort(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListGroups(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateGroup(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteGroup(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateRule(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListFloatingIps(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateFloatingIp(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response UpdateFloatingIp(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteFloatingIp(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasFloatingIp(const std::string& port_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string NewGroup(const std::string& name, const std::string& description)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Response ListImages(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetImage(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListVolumes(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateVolume(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteVolume(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListVolumeTypes(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  /// One page of `all`, with a link to the next.
  Response Page(const Request& request, const std::string& key, const std::vector<Json>& all) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Style style_;
  const std::string compute_base_;
  mutable absl::Mutex mu_;
  Lag lag_ ABSL_GUARDED_BY(mu_);
  int pace_ ABSL_GUARDED_BY(mu_) = 1;
  std::string microversion_ ABSL_GUARDED_BY(mu_) = "2.96";
  std::map<std::string, std::string> catalog_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> regions_ ABSL_GUARDED_BY(mu_);
  std::string expiry_format_ ABSL_GUARDED_BY(mu_);
  absl::Duration token_lifetime_ ABSL_GUARDED_BY(mu_) = absl::Hours(1);
  std::set<std::string> tokens_ ABSL_GUARDED_BY(mu_);
  /// Those of them that are for no project.
  std::set<std::string> unscoped_ ABSL_GUARDED_BY(mu_);
  bool ignore_stop_ ABSL_GUARDED_BY(mu_) = false;
  std::string fail_next_ ABSL_GUARDED_BY(mu_);
  size_t server_limit_ ABSL_GUARDED_BY(mu_) = 5000;
  size_t page_size_ ABSL_GUARDED_BY(mu_) = 1000;
  int next_id_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, Server> servers_ ABSL_GUARDED_BY(mu_);
  std::vector<Json> flavors_ ABSL_GUARDED_BY(mu_);
  std::vector<Json> images_ ABSL_GUARDED_BY(mu_);
  std::vector<Json> networks_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> key_pairs_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Json> ports_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Json> groups_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Json> floating_ips_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Json> volumes_ ABSL_GUARDED_BY(mu_);
  Json last_create_ ABSL_GUARDED_BY(mu_);
  Json last_auth_ ABSL_GUARDED_BY(mu_);
  Json last_port_ ABSL_GUARDED_BY(mu_);
  Json last_volume_ ABSL_GUARDED_BY(mu_);
  std::string last_microversion_ ABSL_GUARDED_BY(mu_);
};

/// {"itemNotFound": {"code": 404, "message": …}} and the like, as Nova, Glance and Cinder refuse.
Response RefuseOpenStack(int status, absl::string_view message);
/// {"NeutronError": {"type": …}}.
Response RefuseNeutron(int status, absl::string_view type, absl::string_view message);

}  // namespace machine::fakes

#endif  // TESTS_FAKES_OPENSTACK_FAKE_OPENSTACK_H_
