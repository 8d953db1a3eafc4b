// The calls of Azure Resource Manager that the driver makes.
// https://learn.microsoft.com/rest/api/resources/
#ifndef DRIVERS_AZURE_AZURE_API_H_
#define DRIVERS_AZURE_AZURE_API_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drivers/azure/settings.h"
#include "drivers/sdk/cloud/json_api.h"
#include "drivers/sdk/cloud/token.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::azure {

/// A size of virtual machines in one location.
struct Size {
  std::string name;
  int64_t cpus = 0;
  double memory_gib = 0;
  bool arm = false;
  /// Boots images of the second generation, as all current ones are.
  bool generation2 = false;
  /// Empty, or why this subscription may not have it there: "NotAvailableForSubscription".
  std::string restriction;
  /// Zones that have it.
  std::vector<std::string> zones;
};

/// Kinds of what lies in a resource group.
enum class Kind { kNetwork, kSecurityGroup, kPublicAddress, kInterface, kDisk, kMachine };

/// A resource as a read shows it.
struct Resource {
  std::string id;
  std::string name;
  std::string location;
  /// "Succeeded", "Creating", "Updating", "Deleting", "Failed" …
  std::string provisioning_state;
  Tags tags;
  /// All of it.
  Json json;

  /// The value of a tag; empty where there is none.
  std::string Tag(const std::string& key) const;
};

/// What a list or a read tells of a virtual machine.
struct VirtualMachine {
  std::string id;
  std::string name;
  std::string group;
  std::string location;
  std::string size;
  std::string zone;
  std::string provisioning_state;
  /// "PowerState/running" …; empty where the answer does not tell.
  std::string power_state;
  Tags tags;
};

/// Something under way.
struct Operation {
  enum class By {
    /// The header Azure-AsyncOperation: an object with a status.
    kStatus,
    /// The header Location: 202 until it is done.
    kLocation,
    /// The resource itself, by its provisioningState.
    kResource,
  };

  bool done = true;
  By by = By::kStatus;
  /// Where to look, with its query.
  std::string path;
  /// How long to wait before the next look, as the provider asks.
  absl::Duration retry_after;
};

/// One subscription. Thread-safe; blocks. Lists read all pages. Find… has no value where there is
/// no such thing.
///
/// Errors: those of JsonApi::Send(); RESOURCE_EXHAUSTED PROVIDER_QUOTA for quotas and for capacity
/// that Azure has not; UNAVAILABLE for what is busy or in use for a while.
class AzureApi {
 public:
  /// `http` outlives it. `endpoint` has no slash at its end.
  AzureApi(common::HttpClient& http, std::string endpoint, std::string subscription,
           std::unique_ptr<TokenSource> tokens, const Backoff& retry);

  const std::string& subscription() const { return subscription_; }

  /// "Enabled", "Warned", "Disabled" …
  absl::StatusOr<std::string> SubscriptionState(const common::CallScope& call) const;
  /// "Registered", "NotRegistered", "Registering" … of a provider such as "Microsoft.Compute".
  absl::StatusOr<std::string> RegistrationOf(const common::CallScope& call,
                                             absl::string_view provider) const;
  absl::Status Register(const common::CallScope& call, absl::string_view provider) const;

  absl::StatusOr<std::vector<std::string>> ListLocations(const common::CallScope& call) const;
  absl::StatusOr<std::vector<Size>> ListSizes(const common::CallScope& call,
                                              absl::string_view location) const;
  /// Names; none where the location has no such publisher, offer or sku.
  absl::StatusOr<std::vector<std::string>> ListOffers(const common::CallScope& call,
                                                      absl::string_view location,
                                                      absl::string_view publisher) const;
  absl::StatusOr<std::vector<std::string>> ListImageSkus(const common::CallScope& call,
                                                         absl::string_view location,
                                                         absl::string_view publisher,
                                                         absl::string_view offer) const;
  absl::StatusOr<std::vector<std::string>> ListVersions(const common::CallScope& call,
                                                        absl::string_view location,
                                                        const ImageName& image) const;
  /// Whether there is an own image of this id.
  absl::StatusOr<bool> HasImage(const common::CallScope& call, absl::string_view id) const;

  absl::StatusOr<std::vector<std::string>> ListGroups(const common::CallScope& call) const;
  /// The resource groups that carry this tag.
  absl::StatusOr<std::vector<Resource>> ListGroups(const common::CallScope& call,
                                                   const std::string& tag,
                                                   absl::string_view value) const;
  absl::StatusOr<std::optional<Resource>> FindGroup(const common::CallScope& call,
                                                    absl::string_view group) const;
  absl::Status PutGroup(const common::CallScope& call, absl::string_view group,
                        absl::string_view location, const Tags& tags) const;
  /// Deletes it with all that is in it. OK where there is none.
  absl::StatusOr<Operation> DeleteGroup(const common::CallScope& call,
                                        absl::string_view group) const;

  absl::StatusOr<std::optional<Resource>> Find(const common::CallScope& call, Kind kind,
                                               absl::string_view group,
                                               absl::string_view name) const;
  /// Makes it, or changes it to `body`. NOT_FOUND where there is no such group.
  absl::StatusOr<Operation> Put(const common::CallScope& call, Kind kind, absl::string_view group,
                                absl::string_view name, Json body) const;
  /// OK where there is none.
  absl::StatusOr<Operation> Delete(const common::CallScope& call, Kind kind,
                                   absl::string_view group, absl::string_view name) const;

  absl::StatusOr<std::optional<VirtualMachine>> FindMachine(const common::CallScope& call,
                                                            absl::string_view group,
                                                            absl::string_view name) const;
  /// All of the subscription, with their power states, or with size, zone and tags instead.
  enum class View { kPower, kModel };
  absl::StatusOr<std::vector<VirtualMachine>> ListMachines(const common::CallScope& call,
                                                           View view) const;
  /// `verb` is "start", "restart", "deallocate" or "powerOff", which pulls the plug.
  absl::StatusOr<Operation> Act(const common::CallScope& call, absl::string_view group,
                                absl::string_view name, absl::string_view verb) const;

  /// How it goes. Errors: also what it failed with.
  absl::StatusOr<Operation> Advance(const common::CallScope& call,
                                    const Operation& operation) const;

  /// "/subscriptions/S/resourceGroups/G/providers/…".
  std::string PathOf(Kind kind, absl::string_view group, absl::string_view name) const;

 private:
  /// With a new token where the provider refuses one that can be renewed.
  absl::StatusOr<ApiResponse> Send(const common::CallScope& call, const ApiRequest& request) const;
  /// No value for 404.
  absl::StatusOr<std::optional<Json>> Get(const common::CallScope& call, ApiRequest request) const;
  /// Calls `each` with every element of every page.
  absl::Status List(const common::CallScope& call, ApiRequest request,
                    absl::FunctionRef<void(const Json&)> each) const;
  /// The names in a list that is not paged; none for 404.
  absl::StatusOr<std::vector<std::string>> Names(const common::CallScope& call,
                                                 std::string path) const;
  absl::StatusOr<Operation> Change(const common::CallScope& call, ApiRequest request) const;
  absl::StatusOr<Operation> OperationOf(const ApiRequest& request,
                                        const ApiResponse& response) const;
  /// The path and query of a URL that the provider gave. Never leads to another host, which would
  /// get the token.
  absl::StatusOr<std::string> OwnPath(absl::string_view url) const;
  /// "/subscriptions/S/REST".
  std::string Own(absl::string_view rest) const;

  const std::string subscription_;
  /// Shared with what the API calls for each request.
  const std::shared_ptr<AccessTokenCache> tokens_;
  const JsonApi api_;
};

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_AZURE_API_H_
