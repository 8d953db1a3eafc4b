// The tests of its options that every cloud driver has, as one suite. A driver gives its rows:
//
//   class HetznerCloud final : public CloudOf<FakeHetzner, HetznerDriver> {
//    public:
//     …what CloudUnderTest asks for…
//     static std::vector<CheckRow> Checks();
//     static std::vector<BadOptionRow> BadOptions();
//   };
//   INSTANTIATE_CLOUD_OPTIONS_SUITE(HetznerCloud);
#ifndef DRIVERS_SDK_CONFORMANCE_CLOUD_OPTIONS_SUITE_H_
#define DRIVERS_SDK_CONFORMANCE_CLOUD_OPTIONS_SUITE_H_

#include <string>
#include <vector>

#include "drivers/sdk/conformance/cloud_rows.h"
#include "machine/v1/drivers.pb.h"

namespace machine::driver {

/// Options, and what PreCreateCheck says of them.
struct CheckRow {
  std::string label;
  std::vector<machine::v1::OptionValue> options;
  /// Parts of the message; empty where the check passes.
  std::vector<std::string> words;
  /// Another part; "" for the name of the first option, as "--hetzner-size".
  std::string says = "";
};

/// Options that Validate refuses.
struct BadOptionRow {
  std::string label;
  std::vector<machine::v1::OptionValue> options;
  /// A part of the message; "" for the name of the first option.
  std::string says = "";
};

class CloudCheckTest : public CloudRowTest<CheckRow> {};
class CloudBadOptionTest : public CloudRowTest<BadOptionRow> {};

/// The tests above for `Cloud`, a CloudUnderTest with the static functions named at the top.
#define INSTANTIATE_CLOUD_OPTIONS_SUITE(Cloud)                     \
  INSTANTIATE_CLOUD_ROWS_(Cloud, CloudCheckTest, Cloud::Checks()); \
  INSTANTIATE_CLOUD_ROWS_(Cloud, CloudBadOptionTest, Cloud::BadOptions())

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CONFORMANCE_CLOUD_OPTIONS_SUITE_H_
