// The calls of Compute Engine's API v1 that the driver makes, typed.
// https://cloud.google.com/compute/docs/reference/rest/v1
#ifndef DRIVERS_GOOGLE_GOOGLE_API_H_
#define DRIVERS_GOOGLE_GOOGLE_API_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/google/google_auth.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::gce {

using Labels = std::map<std::string, std::string>;

struct Zone {
  std::string name;
  /// "UP" or "DOWN".
  std::string status;
};

struct MachineType {
  std::string name;
  int64_t cpus = 0;
  int64_t memory_mib = 0;
  bool arm = false;
  bool has_accelerators = false;
  /// "", "DEPRECATED", "OBSOLETE" or "DELETED".
  std::string deprecation;
  /// What to use instead; may be empty.
  std::string replacement;
};

struct Image {
  /// "projects/P/global/images/N".
  std::string path;
  std::string name;
  std::string family;
  int64_t disk_gb = 0;
  bool arm = false;
  /// As of MachineType.
  std::string deprecation;
  std::string replacement;
};

struct Network {
  std::string name;
  /// Subnetworks come by themselves.
  bool automatic = false;
  /// "projects/P/regions/R/subnetworks/N".
  std::vector<std::string> subnetworks;
};

struct Address {
  std::string name;
  std::string ip;
  /// "RESERVING", "RESERVED" or "IN_USE".
  std::string status;
};

/// One pair of an instance's metadata.
using MetadataItems = std::vector<std::pair<std::string, std::string>>;

struct Instance {
  /// Unique for ever, unlike the name.
  std::string id;
  std::string name;
  std::string zone;
  /// "PROVISIONING", "STAGING", "RUNNING" …
  std::string status;
  std::string machine_type;
  /// "projects/P/global/networks/N".
  std::string network;
  std::string external_ip;
  std::string internal_ip;
  bool preemptible = false;
  Labels labels;
  /// Of one instance only: lists leave out what follows.
  std::string label_fingerprint;
  MetadataItems metadata;
  std::string metadata_fingerprint;
  std::vector<std::string> tags;
  std::string tags_fingerprint;

  /// The value of a label; empty where there is none.
  std::string Label(absl::string_view key) const;
};

/// Instances of all zones.
struct InstanceList {
  std::vector<Instance> instances;
  /// Zones that did not answer: what is there is not known.
  std::vector<std::string> unreachable_zones;
};

/// What an instance is to be, with one disk that is deleted with it.
struct InstanceSpec {
  std::string name;
  std::string zone;
  std::string machine_type;
  /// Image::path.
  std::string image;
  int64_t disk_gb = 0;
  std::string disk_type;
  std::string network;
  std::string subnetwork;
  bool external = true;
  /// Empty for one of Google's choice.
  std::string external_ip;
  bool preemptible = false;
  bool spot = false;
  std::string service_account;
  std::vector<std::string> scopes;
  std::vector<std::string> tags;
  /// Of instance and disk.
  Labels labels;
  MetadataItems metadata;
};

struct Disk {
  std::string name;
  Labels labels;
  /// The instances that it is part of.
  std::vector<std::string> users;
};

/// Lets `tcp` and the like in from `cidrs`, to instances with `tag`.
struct FirewallSpec {
  std::string name;
  std::string network;
  std::string tag;
  /// "22/tcp".
  std::vector<std::string> ports;
  std::vector<std::string> cidrs;
};

/// Something under way.
struct Operation {
  std::string name;
  /// "zones/Z", "regions/R" or "global".
  std::string scope;
  bool done = false;
  /// Why it failed; OK while it is under way, too.
  absl::Status failure;
};

/// One project. Thread-safe; blocks. Lists read all pages. Find… has no value where there is no
/// such thing, and Delete… neither. Every mutation takes a request id, a UUID: the same one sent
/// twice is carried out once.
///
/// Errors: those of JsonApi::Send(); ALREADY_EXISTS for a name that is taken; RESOURCE_EXHAUSTED
/// PROVIDER_QUOTA or PROVIDER_RATE_LIMIT, which Google both answers with 403; UNAVAILABLE for what
/// is not ready; ABORTED for a fingerprint that is out of date.
class GoogleApi {
 public:
  /// `http` outlives it. `endpoint` has no slash at its end.
  GoogleApi(common::HttpClient& http, std::string endpoint, std::string project,
            std::unique_ptr<TokenSource> tokens, const Backoff& retry);

  const std::string& project() const { return project_; }

  absl::Status CheckProject(const common::CallScope& call) const;
  absl::StatusOr<std::vector<Zone>> ListZones(const common::CallScope& call) const;
  absl::StatusOr<std::vector<MachineType>> ListMachineTypes(const common::CallScope& call,
                                                            absl::string_view zone) const;
  absl::StatusOr<std::vector<std::string>> ListDiskTypes(const common::CallScope& call,
                                                         absl::string_view zone) const;
  absl::StatusOr<std::optional<Image>> FindImage(const common::CallScope& call,
                                                 absl::string_view project,
                                                 absl::string_view name) const;
  /// The newest one that is not deprecated.
  absl::StatusOr<std::optional<Image>> FindImageOfFamily(const common::CallScope& call,
                                                         absl::string_view project,
                                                         absl::string_view family) const;
  absl::StatusOr<std::vector<Image>> ListImages(const common::CallScope& call,
                                                absl::string_view project) const;
  /// `path` as "projects/P/global/networks/N".
  absl::StatusOr<std::optional<Network>> FindNetwork(const common::CallScope& call,
                                                     absl::string_view path) const;
  absl::StatusOr<std::vector<std::string>> ListNetworks(const common::CallScope& call,
                                                        absl::string_view project) const;
  /// Whether there is one. `path` as "projects/P/regions/R/subnetworks/N".
  absl::StatusOr<bool> HasSubnetwork(const common::CallScope& call, absl::string_view path) const;

  absl::StatusOr<std::vector<Address>> ListAddresses(const common::CallScope& call,
                                                     absl::string_view region) const;
  absl::StatusOr<std::optional<Address>> FindAddress(const common::CallScope& call,
                                                     absl::string_view region,
                                                     absl::string_view name) const;
  absl::StatusOr<Operation> ReserveAddress(const common::CallScope& call, absl::string_view region,
                                           absl::string_view name,
                                           absl::string_view request_id) const;
  absl::StatusOr<std::optional<Operation>> DeleteAddress(const common::CallScope& call,
                                                         absl::string_view region,
                                                         absl::string_view name,
                                                         absl::string_view request_id) const;

  absl::StatusOr<bool> HasFirewall(const common::CallScope& call, absl::string_view name) const;
  absl::StatusOr<Operation> CreateFirewall(const common::CallScope& call, const FirewallSpec& spec,
                                           absl::string_view request_id) const;
  absl::StatusOr<std::optional<Operation>> DeleteFirewall(const common::CallScope& call,
                                                          absl::string_view name,
                                                          absl::string_view request_id) const;

  absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call,
                                                       absl::string_view zone,
                                                       absl::string_view name) const;
  /// Those of all zones whose label `key` is `value`.
  absl::StatusOr<InstanceList> ListInstances(const common::CallScope& call, absl::string_view key,
                                             absl::string_view value) const;
  /// The names of all in a zone, whoever made them.
  absl::StatusOr<std::vector<std::string>> ListInstanceNames(const common::CallScope& call,
                                                             absl::string_view zone) const;
  absl::StatusOr<Operation> CreateInstance(const common::CallScope& call, const InstanceSpec& spec,
                                           absl::string_view request_id) const;
  absl::StatusOr<std::optional<Operation>> DeleteInstance(const common::CallScope& call,
                                                          absl::string_view zone,
                                                          absl::string_view name,
                                                          absl::string_view request_id) const;
  /// `verb` is "start", "stop", "reset" or "resume".
  absl::StatusOr<Operation> Act(const common::CallScope& call, const Instance& instance,
                                absl::string_view verb, absl::string_view request_id) const;
  /// What `instance` holds of labels, metadata, tags, in the place of what it has there.
  absl::StatusOr<Operation> SetLabels(const common::CallScope& call, const Instance& instance,
                                      absl::string_view request_id) const;
  absl::StatusOr<Operation> SetMetadata(const common::CallScope& call, const Instance& instance,
                                        absl::string_view request_id) const;
  absl::StatusOr<Operation> SetTags(const common::CallScope& call, const Instance& instance,
                                    absl::string_view request_id) const;

  absl::StatusOr<std::optional<Disk>> FindDisk(const common::CallScope& call,
                                               absl::string_view zone,
                                               absl::string_view name) const;
  absl::StatusOr<std::optional<Operation>> DeleteDisk(const common::CallScope& call,
                                                      absl::string_view zone,
                                                      absl::string_view name,
                                                      absl::string_view request_id) const;

  /// How it goes.
  absl::StatusOr<Operation> GetOperation(const common::CallScope& call,
                                         const Operation& operation) const;

 private:
  /// With a new token where the provider refuses one that can be renewed.
  absl::StatusOr<Json> Send(const common::CallScope& call, const ApiRequest& request) const;
  /// No value for 404.
  absl::StatusOr<std::optional<Json>> Find(const common::CallScope& call, std::string path) const;
  /// Calls `each` with every page.
  absl::Status List(const common::CallScope& call, ApiRequest request,
                    absl::FunctionRef<void(const Json&)> each) const;
  absl::StatusOr<Operation> Post(const common::CallScope& call, std::string path, Json body,
                                 absl::string_view request_id) const;
  absl::StatusOr<std::optional<Operation>> Delete(const common::CallScope& call, std::string path,
                                                  absl::string_view request_id) const;
  /// "/projects/P/REST".
  std::string Own(absl::string_view rest) const;
  std::string PathOf(const Instance& instance, absl::string_view verb) const;

  const std::string project_;
  /// Shared with what the API calls for each request.
  const std::shared_ptr<AccessTokenCache> tokens_;
  const JsonApi api_;
};

/// "projects/P/…" of a URL of the API, or what it was.
std::string ResourcePath(absl::string_view url);
/// What follows the last slash.
std::string LastPart(absl::string_view url);

}  // namespace machine::driver::gce

#endif  // DRIVERS_GOOGLE_GOOGLE_API_H_
