// The tests of what it does that every cloud driver has, as one suite: a driver describes its
// provider, gives its rows, and has them all by one line. Beside it: cloud_options_suite.h.
//
//   class HetznerCloud final : public CloudOf<FakeHetzner, HetznerDriver> {
//    public:
//     …what CloudUnderTest asks for…
//     static std::vector<FaultRow> Faults();
//     static std::vector<FaultRow> RemoveFaults();
//     static std::vector<StateRow> States();
//     static std::vector<ImportRow> BadImports();
//   };
//   INSTANTIATE_CLOUD_SUITE(HetznerCloud);
#ifndef DRIVERS_SDK_CONFORMANCE_CLOUD_SUITE_H_
#define DRIVERS_SDK_CONFORMANCE_CLOUD_SUITE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "drivers/sdk/conformance/cloud_rows.h"
#include "drivers/sdk/driver.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::driver {

/// Something that goes wrong during a create, or a removal. However it goes, a create that is tried
/// again ends with one instance, and a removal with none.
struct FaultRow {
  /// Of letters and digits, as in all rows.
  std::string label;
  fakes::Fault fault;
  /// Reads in which a just-made instance is unknown.
  int lag = 0;
};

/// A state as the provider says it, and ours.
struct StateRow {
  std::string word;
  MachineState state;
  /// What it is busy with, or another part of what it says; "" for none.
  std::string detail = "";
};

/// An object `Driver` of the original's config.json that names no instance.
struct ImportRow {
  std::string label;
  std::string fields;
};

/// The requests that faults are about; "" for what a provider does not have.
struct FaultRoutes {
  std::string create;
  /// What lists instances, and is asked during a create, or a removal.
  std::string list;
  /// What shows how far a create is.
  std::string poll = "";
  /// A read before the create.
  std::string read = "";
};

/// The faults of create that every driver has to outlive: requests that were refused, failed or
/// lost, before and after their effect, and instances that stay unseen.
std::vector<FaultRow> CommonFaults(const FaultRoutes& routes);

/// The faults of a removal, by `remove`, that every driver has to outlive. `before` requests of
/// that route pass first.
std::vector<FaultRow> CommonRemoveFaults(const std::string& remove, const std::string& list,
                                         int before = 0);

std::string LabelOf(const StateRow& row);

/// What each cloud driver does.
class CloudTest : public testing::TestWithParam<MakeCloud> {
 protected:
  CloudTest() : cloud_(GetParam()()), facts_(cloud_->Facts()), driver_(cloud_->driver()) {}

  const std::unique_ptr<CloudUnderTest> cloud_;
  const CloudFacts facts_;
  Driver& driver_;
};

class CloudFaultTest : public CloudRowTest<FaultRow> {};
class CloudRemoveFaultTest : public CloudRowTest<FaultRow> {};
class CloudStateTest : public CloudRowTest<StateRow> {};
class CloudImportTest : public CloudRowTest<ImportRow> {};

/// The tests above for `Cloud`, a CloudUnderTest with the static functions named at the top.
#define INSTANTIATE_CLOUD_SUITE(Cloud)                                              \
  INSTANTIATE_TEST_SUITE_P(Cloud, CloudTest,                                        \
                           testing::Values(&::machine::driver::MakeCloudOf<Cloud>), \
                           [](const auto&) { return std::string("OneCloud"); });    \
  INSTANTIATE_CLOUD_ROWS_(Cloud, CloudFaultTest, Cloud::Faults());                  \
  INSTANTIATE_CLOUD_ROWS_(Cloud, CloudRemoveFaultTest, Cloud::RemoveFaults());      \
  INSTANTIATE_CLOUD_ROWS_(Cloud, CloudStateTest, Cloud::States());                  \
  INSTANTIATE_CLOUD_ROWS_(Cloud, CloudImportTest, Cloud::BadImports())

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CONFORMANCE_CLOUD_SUITE_H_
