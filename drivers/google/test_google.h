// A driver against Compute Engine in memory, for the tests of this folder.
#ifndef DRIVERS_GOOGLE_TEST_GOOGLE_H_
#define DRIVERS_GOOGLE_TEST_GOOGLE_H_

#include <memory>
#include <string>
#include <vector>

#include "drivers/google/google_driver.h"
#include "drivers/google/settings.h"
#include "drivers/sdk/conformance/cloud_under_test.h"
#include "tests/fakes/google/fake_google.h"

namespace machine::driver::gce {

class GoogleCloud : public CloudOf<fakes::FakeGoogle, GoogleDriver> {
 public:
  // Neither the files nor the metadata server of the test's own host count.
  GoogleCloud()
      : CloudOf(std::make_unique<fakes::FakeGoogle>(),
                std::make_unique<GoogleDriver>(FastTiming<Timing>(), Surroundings())) {}

  CloudFacts Facts() const override;
  std::vector<machine::v1::OptionValue> Account() override {
    return {Option(kProjectFlag, fakes::FakeGoogle::kProject),
            SecretOption(kTokenFlag, fakes::FakeGoogle::kToken),
            Option("google-endpoint", fake->endpoint())};
  }
  std::vector<machine::v1::OptionValue> PartsToFail() override {
    return {BoolOption("google-static-address", true)};
  }

  std::vector<std::string> Instances() override { return fake->InstanceNames(); }
  void ExpectNothingLeft() override;
  void ExpectMade(const Observation& made) override;
  bool Checked() override { return fake->checked(); }

  // Slower than anybody waits.
  void HoldShutdown(bool hold) override { fake->SetPace(hold ? 1'000'000 : 1); }
  void ReachLimit() override {
    fake->FailNextOperation("QUOTA_EXCEEDED", "Quota 'CPUS' exceeded. Limit: 8.0");
  }
  void AddInstances(int count) override { fake->AddMachines(count); }
  MachineState StateOf(absl::string_view word, absl::string_view) override;
};

using GoogleTest = CloudFixture<GoogleCloud>;

/// The instance of the machine of most tests.
inline constexpr char kName[] = "dev-one-0f8fad5b";
inline constexpr char kCreate[] = "POST /compute/v1/projects/{project}/zones/{zone}/instances";
inline constexpr char kGet[] =
    "GET /compute/v1/projects/{project}/zones/{zone}/instances/{instance}";
inline constexpr char kList[] = "GET /compute/v1/projects/{project}/aggregated/instances";
inline constexpr char kZoneOperation[] =
    "GET /compute/v1/projects/{project}/zones/{zone}/operations/{operation}";

}  // namespace machine::driver::gce

#endif  // DRIVERS_GOOGLE_TEST_GOOGLE_H_
