// The actions of the EC2 API (2016-11-15) that the driver uses, typed; and SSM's GetParameter.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/
#ifndef DRIVERS_AMAZONEC2_EC2_API_H_
#define DRIVERS_AMAZONEC2_EC2_API_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/amazonec2/aws_api.h"
#include "drivers/amazonec2/credentials.h"

namespace machine::driver::amazonec2 {

using Tags = std::vector<std::pair<std::string, std::string>>;

/// A condition on a list: the name of a field and its allowed values.
struct Filter {
  std::string name;
  std::vector<std::string> values;
};
using Filters = std::vector<Filter>;

struct Instance {
  std::string id;
  /// "pending", "running", "shutting-down", "terminated", "stopping" or "stopped".
  std::string state;
  /// Why it is in that state; may be empty.
  std::string state_reason;
  /// Of that, as "Server.SpotInstanceTermination".
  std::string state_reason_code;
  std::string image_id;
  std::string type;
  std::string zone;
  std::string key_name;
  std::string spot_request_id;
  /// Whether it is lent, and may be taken back.
  bool spot = false;
  std::string public_ip;
  std::string private_ip;
  std::string ipv6;
  std::map<std::string, std::string> tags;
};

struct Image {
  std::string id;
  /// "x86_64" or "arm64".
  std::string architecture;
  std::string root_device;
  /// As AWS writes it; later ones compare greater.
  std::string creation_date;
};

struct Subnet {
  std::string id;
  std::string vpc_id;
  std::string zone;
  bool default_for_zone = false;
};

struct SecurityGroup {
  std::string id;
  std::string name;
  std::string vpc_id;
};

/// What may come in at a group: one TCP port from one range.
struct IngressRule {
  int port = 0;
  std::string cidr;
};

struct InstanceSpec {
  /// At most 64 characters; the same one never makes two instances.
  std::string client_token;
  std::string image_id;
  std::string type;
  std::string subnet_id;
  std::vector<std::string> group_ids;
  bool public_address = true;
  /// May be empty.
  std::string key_name;
  std::string user_data;
  std::string device_name;
  int64_t root_size_gib = 0;
  std::string volume_type;
  std::string iam_profile;
  bool monitoring = false;
  bool ebs_optimized = false;
  std::string metadata_tokens;
  bool spot = false;
  std::string spot_price;
  Tags tags;
};

/// EC2 in one region for one account. Thread-safe; blocks; ends with the call's deadline and
/// cancellation. Errors: those of AwsApi. Deleting what is not there is OK.
class Ec2Api {
 public:
  /// `http` outlives it.
  Ec2Api(common::HttpClient& http, AccountSettings settings, const Backoff& retry,
         Environment environment = ProcessEnvironment);

  /// Names of the regions that the account may use.
  absl::StatusOr<std::vector<std::string>> ListRegions(const common::CallScope& call) const;
  /// Architectures of an instance type; no value for one that the region does not have.
  absl::StatusOr<std::optional<std::vector<std::string>>> FindType(const common::CallScope& call,
                                                                   const std::string& type) const;
  /// The types on offer, in the whole region or in one zone.
  absl::StatusOr<std::vector<std::string>> ListTypes(const common::CallScope& call,
                                                     const std::string& zone) const;
  absl::StatusOr<std::optional<Image>> FindImage(const common::CallScope& call,
                                                 const std::string& id) const;
  absl::StatusOr<std::vector<Image>> ListImages(const common::CallScope& call,
                                                const std::string& owner,
                                                const Filters& filters) const;
  /// A public parameter of SSM; no value where there is none, or SSM may not be used.
  absl::StatusOr<std::optional<std::string>> FindParameter(const common::CallScope& call,
                                                           const std::string& name) const;
  /// Ids of VPCs.
  absl::StatusOr<std::vector<std::string>> ListVpcs(const common::CallScope& call,
                                                    const Filters& filters) const;
  absl::StatusOr<std::vector<Subnet>> ListSubnets(const common::CallScope& call,
                                                  const Filters& filters) const;

  /// Names of key pairs.
  absl::StatusOr<std::vector<std::string>> ListKeyPairs(const common::CallScope& call,
                                                        const Filters& filters) const;
  absl::Status ImportKeyPair(const common::CallScope& call, const std::string& name,
                             const std::string& public_key, const Tags& tags) const;
  absl::Status DeleteKeyPair(const common::CallScope& call, const std::string& name) const;

  absl::StatusOr<std::vector<SecurityGroup>> ListGroups(const common::CallScope& call,
                                                        const Filters& filters) const;
  absl::StatusOr<SecurityGroup> CreateGroup(const common::CallScope& call, const std::string& name,
                                            const std::string& description,
                                            const std::string& vpc_id, const Tags& tags) const;
  /// OK where the group has the rule already.
  absl::Status Allow(const common::CallScope& call, const std::string& group_id,
                     const IngressRule& rule) const;
  absl::Status DeleteGroup(const common::CallScope& call, const std::string& id) const;

  absl::StatusOr<std::vector<Instance>> ListInstances(const common::CallScope& call,
                                                      const Filters& filters) const;
  absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call,
                                                       const std::string& id) const;
  absl::StatusOr<Instance> RunInstance(const common::CallScope& call,
                                       const InstanceSpec& spec) const;
  absl::Status StartInstance(const common::CallScope& call, const std::string& id) const;
  /// With `force` the guest is not asked.
  absl::Status StopInstance(const common::CallScope& call, const std::string& id, bool force) const;
  absl::Status RebootInstance(const common::CallScope& call, const std::string& id) const;
  absl::Status TerminateInstance(const common::CallScope& call, const std::string& id) const;

  /// Ids of spot requests.
  absl::StatusOr<std::vector<std::string>> ListSpotRequests(const common::CallScope& call,
                                                            const Filters& filters) const;
  absl::Status CancelSpotRequest(const common::CallScope& call, const std::string& id) const;

  /// Ids of volumes.
  absl::StatusOr<std::vector<std::string>> ListVolumes(const common::CallScope& call,
                                                       const Filters& filters) const;
  absl::Status DeleteVolume(const common::CallScope& call, const std::string& id) const;

 private:
  /// All pages of a list; `each` gets every element of `set`.
  absl::Status List(const common::CallScope& call, absl::string_view action, Params params,
                    absl::string_view set,
                    absl::FunctionRef<void(const XmlElement& item)> each) const;
  absl::Status Act(const common::CallScope& call, absl::string_view action,
                   const Params& params) const;

  const std::shared_ptr<CredentialsChain> credentials_;
  const AwsApi ec2_;
  const AwsApi ssm_;
};

}  // namespace machine::driver::amazonec2

#endif  // DRIVERS_AMAZONEC2_EC2_API_H_
