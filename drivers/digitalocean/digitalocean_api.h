// The calls of DigitalOcean's API v2 that the driver makes, typed.
// https://docs.digitalocean.com/reference/api/digitalocean/
#ifndef DRIVERS_DIGITALOCEAN_DIGITALOCEAN_API_H_
#define DRIVERS_DIGITALOCEAN_DIGITALOCEAN_API_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::digitalocean {

struct Account {
  /// "active", "warning" or "locked".
  std::string status;
  std::string status_message;
};

struct Region {
  std::string slug;
  bool available = false;
};

struct Size {
  std::string slug;
  int64_t memory_mib = 0;
  int64_t disk_gib = 0;
  double price_hourly = 0;
  bool available = false;
  std::vector<std::string> regions;
};

struct Image {
  int64_t id = 0;
  /// Empty for images of the account itself.
  std::string slug;
  /// For example "24.04 (LTS) x64".
  std::string name;
  /// For example "Ubuntu".
  std::string distribution;
  int64_t min_disk_gib = 0;
  std::vector<std::string> regions;
};

struct Vpc {
  std::string id;
  std::string region;
};

struct SshKey {
  int64_t id = 0;
  std::string name;
  std::string fingerprint;
  std::string public_key;
};

struct Droplet {
  int64_t id = 0;
  /// "new", "active", "off" or "archive".
  std::string status;
  /// An action is under way.
  bool locked = false;
  std::string region;
  std::string size;
  std::string image_slug;
  int64_t image_id = 0;
  std::vector<std::string> tags;
  std::vector<std::string> public_v4;
  std::vector<std::string> private_v4;
  std::vector<std::string> public_v6;

  bool HasTag(absl::string_view tag) const;
};

/// What a droplet is to be.
struct DropletSpec {
  std::string name;
  std::string region;
  std::string size;
  /// A slug, or the id of an image of the account.
  std::string image;
  std::vector<int64_t> ssh_keys;
  std::vector<std::string> tags;
  std::string user_data;
  /// Empty for the region's default.
  std::string vpc_uuid;
  bool ipv6 = false;
  bool backups = false;
  bool monitoring = false;
  bool public_network = true;
};

struct Action {
  int64_t id = 0;
  /// "in-progress", "completed" or "errored".
  std::string status;
};

struct Firewall {
  std::string id;
  std::string name;
};

/// A firewall for droplets with `tag` that lets in `tcp_ports` and pings from `cidrs` alone, and
/// everything out.
struct FirewallSpec {
  std::string name;
  std::string tag;
  std::vector<int> tcp_ports;
  std::vector<std::string> cidrs;
};

/// One account. Thread-safe; blocks. Lists read all pages. Errors: those of JsonApi::Send();
/// RESOURCE_EXHAUSTED PROVIDER_QUOTA at the account's droplet limit.
class DigitalOceanApi {
 public:
  /// `http` outlives it. `endpoint` has no slash at its end. `retry` are the pauses before a
  /// request is sent again.
  DigitalOceanApi(common::HttpClient& http, std::string endpoint, std::string token,
                  const Backoff& retry);

  absl::StatusOr<Account> GetAccount(const common::CallScope& call) const;
  absl::StatusOr<std::vector<Region>> ListRegions(const common::CallScope& call) const;
  absl::StatusOr<std::vector<Size>> ListSizes(const common::CallScope& call) const;
  /// Base images of distributions.
  absl::StatusOr<std::vector<Image>> ListDistributions(const common::CallScope& call) const;
  /// By slug or id; no value where there is none.
  absl::StatusOr<std::optional<Image>> FindImage(const common::CallScope& call,
                                                 absl::string_view image) const;
  absl::StatusOr<std::vector<Vpc>> ListVpcs(const common::CallScope& call) const;

  /// DigitalOcean allows ten of these lists a minute.
  absl::StatusOr<std::vector<SshKey>> ListSshKeys(const common::CallScope& call) const;
  /// By fingerprint or id; no value where there is none.
  absl::StatusOr<std::optional<SshKey>> FindSshKey(const common::CallScope& call,
                                                   absl::string_view key) const;
  /// ALREADY_EXISTS when the account has the key, under whatever name.
  absl::StatusOr<SshKey> CreateSshKey(const common::CallScope& call, absl::string_view name,
                                      absl::string_view public_key) const;
  /// OK when it is not there, as all Delete… are.
  absl::Status DeleteSshKey(const common::CallScope& call, int64_t id) const;

  absl::StatusOr<std::vector<Droplet>> ListDroplets(const common::CallScope& call,
                                                    absl::string_view tag) const;
  absl::StatusOr<std::optional<Droplet>> FindDroplet(const common::CallScope& call,
                                                     int64_t id) const;
  absl::StatusOr<Droplet> CreateDroplet(const common::CallScope& call,
                                        const DropletSpec& spec) const;
  absl::Status DeleteDroplet(const common::CallScope& call, int64_t id) const;

  /// `type` is "power_on", "power_off", "shutdown" or "reboot". UNAVAILABLE while another action on
  /// the droplet is under way. Without effect and with no value where the droplet is in that state.
  absl::StatusOr<std::optional<Action>> Act(const common::CallScope& call, int64_t droplet_id,
                                            absl::string_view type) const;
  absl::StatusOr<Action> GetAction(const common::CallScope& call, int64_t droplet_id,
                                   int64_t action_id) const;

  absl::Status CreateTag(const common::CallScope& call, absl::string_view tag) const;
  absl::Status DeleteTag(const common::CallScope& call, absl::string_view tag) const;
  absl::StatusOr<std::vector<Firewall>> ListFirewalls(const common::CallScope& call) const;
  absl::StatusOr<Firewall> CreateFirewall(const common::CallScope& call,
                                          const FirewallSpec& spec) const;
  absl::Status DeleteFirewall(const common::CallScope& call, absl::string_view id) const;

 private:
  absl::StatusOr<ApiResponse> Get(const common::CallScope& call, std::string path) const;
  absl::StatusOr<Json> Post(const common::CallScope& call, std::string path, Json body,
                            absl::string_view answer, bool retry_safe = false) const;
  absl::Status Delete(const common::CallScope& call, std::string path) const;
  /// Calls `each` with every element of `key` on every page.
  absl::Status List(const common::CallScope& call, ApiRequest request, absl::string_view key,
                    absl::FunctionRef<void(const Json&)> each) const;

  const JsonApi api_;
};

}  // namespace machine::driver::digitalocean

#endif  // DRIVERS_DIGITALOCEAN_DIGITALOCEAN_API_H_
