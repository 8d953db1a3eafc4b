// The flags of the driver, and what they ask for.
#ifndef DRIVERS_TEMPLATE_SETTINGS_H_
#define DRIVERS_TEMPLATE_SETTINGS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::template_cloud {

inline constexpr absl::string_view kTokenFlag = "template-token";
inline constexpr absl::string_view kEndpointFlag = "template-endpoint";
inline constexpr absl::string_view kRegionFlag = "template-region";
inline constexpr absl::string_view kSizeFlag = "template-size";
inline constexpr absl::string_view kImageFlag = "template-image";

/// Port of every machine's engine.
inline constexpr int kEnginePort = 2376;

/// What a machine is to be.
struct Settings {
  std::string region;
  /// Empty for the smallest that is enough.
  std::string size;
  /// Empty for the newest Ubuntu LTS.
  std::string image;
  std::string ssh_user;
  std::string user_data;
};

/// Where an account is, and its credentials.
struct Credentials {
  std::string endpoint;
  /// Secret.
  std::string token;
};

Flags TemplateFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);
absl::StatusOr<Credentials> ReadCredentials(const Options& options);

/// Values that the provider no longer has. Errors: PreCreateCheckFailed() with what to use instead.
absl::Status CheckRetiredValues(const Options& options);

}  // namespace machine::driver::template_cloud

#endif  // DRIVERS_TEMPLATE_SETTINGS_H_
