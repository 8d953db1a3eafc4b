// What EC2 has on offer: defaults are found there, and what is asked for is checked.
#ifndef DRIVERS_AMAZONEC2_CATALOG_H_
#define DRIVERS_AMAZONEC2_CATALOG_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/amazonec2/ec2_api.h"
#include "drivers/amazonec2/settings.h"

namespace machine::driver::amazonec2 {

/// What an instance is made of.
struct Choice {
  std::string image_id;
  std::string root_device;
  std::string instance_type;
  std::string subnet_id;
  std::string vpc_id;
};

/// What `settings` ask for, or the defaults where they ask for nothing. Errors:
/// PreCreateCheckFailed() with what exists.
absl::StatusOr<Choice> Choose(const common::CallScope& call, const Ec2Api& api,
                              const Settings& settings);

/// The groups that `settings` name, in `vpc_id`. Errors: PreCreateCheckFailed() with what exists.
absl::StatusOr<std::vector<SecurityGroup>> FindNamedGroups(const common::CallScope& call,
                                                           const Ec2Api& api,
                                                           const Settings& settings,
                                                           const std::string& vpc_id);

/// Checks everything in `settings` that EC2 knows but the region: image, type, VPC, zone, subnet,
/// groups, key pair. Errors: PreCreateCheckFailed() with what exists.
absl::Status CheckSettings(const common::CallScope& call, const Ec2Api& api,
                           const Settings& settings);

/// Checks the region; `home` is the API of a region that exists. Errors: PreCreateCheckFailed()
/// with what exists.
absl::Status CheckRegion(const common::CallScope& call, const Ec2Api& home,
                         const Settings& settings);

}  // namespace machine::driver::amazonec2

#endif  // DRIVERS_AMAZONEC2_CATALOG_H_
