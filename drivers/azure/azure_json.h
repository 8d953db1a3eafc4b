// Between what Resource Manager writes and what the driver reads, and back.
#ifndef DRIVERS_AZURE_AZURE_JSON_H_
#define DRIVERS_AZURE_AZURE_JSON_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "drivers/azure/azure_api.h"
#include "drivers/azure/settings.h"

namespace machine::driver::azure {

Resource ResourceOf(const Json& json);
VirtualMachine MachineOf(const Json& json);
/// Of a record of Microsoft.Compute/skus.
Size SizeOf(const Json& json);

/// The error for `code`, as in {"error": {"code": …}}; `otherwise`, with its message, where the
/// code says no more than that.
absl::Status ErrorFor(absl::string_view code, const absl::Status& otherwise);
/// What a failed operation or resource says in `error`; `what` is for the message.
absl::Status FailureOf(const Json& error, absl::string_view what);

/// {"id": …}.
Json Reference(absl::string_view id);

/// Lets everything in `ports` ("22/Tcp") in from `cidrs`; all else from outside stays out.
struct SecurityGroupSpec {
  std::string location;
  Tags tags;
  std::vector<std::string> ports;
  std::vector<std::string> cidrs;
};
Json BodyOf(const SecurityGroupSpec& spec);

struct NetworkSpec {
  std::string location;
  Tags tags;
  std::string range;
  std::string subnet;
};
Json BodyOf(const NetworkSpec& spec);

/// A standard address, which is static.
struct PublicAddressSpec {
  std::string location;
  Tags tags;
  /// Empty for none.
  std::string dns_label;
  /// Empty: of all zones.
  std::string zone;
};
Json BodyOf(const PublicAddressSpec& spec);

struct InterfaceSpec {
  std::string location;
  Tags tags;
  std::string subnet_id;
  std::string security_group_id;
  /// Empty for none.
  std::string public_address_id;
  /// Empty for one of Azure's choice.
  std::string private_ip;
};
Json BodyOf(const InterfaceSpec& spec);

struct MachineSpecification {
  std::string location;
  Tags tags;
  std::string zone;
  std::string size;
  ImageName image;
  std::string disk_name;
  std::string disk_type;
  /// 0 for the image's own.
  int64_t disk_gb = 0;
  std::string interface_id;
  std::string host_name;
  std::string username;
  /// One line as in authorized_keys; may be empty where there is a password.
  std::string ssh_public_key;
  /// Secret; may be empty.
  std::string password;
  std::string custom_data;
};
Json BodyOf(const MachineSpecification& spec);

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_AZURE_JSON_H_
