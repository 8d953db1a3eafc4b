#include "drivers/sdk/conformance/cloud_under_test.h"

#include "absl/strings/str_cat.h"

namespace machine::driver {

using machine::v1::OptionValue;

std::vector<OptionValue> WithOptions(std::vector<OptionValue> values,
                                     const std::vector<OptionValue>& more) {
  for (const OptionValue& option : more) {
    std::erase_if(values, [&](const OptionValue& each) { return each.name() == option.name(); });
    values.push_back(option);
  }
  return values;
}

void CloudUnderTest::BeOfBatch(int number, MachineSpec& machine) {
  machine.uid = absl::StrCat(number);
}

MachineSpec CloudUnderTest::Machine(const std::vector<OptionValue>& more, absl::string_view uid) {
  return MachineOf(WithOptions(Account(), more), uid);
}

MachineSpec CloudUnderTest::MachineOf(const std::vector<OptionValue>& values,
                                      absl::string_view uid) {
  MachineSpec machine;
  machine.uid = std::string(uid);
  machine.name = "dev.One";
  machine.ssh_public_key = std::string(kTestKey);
  const absl::StatusOr<Options> options = MakeOptions(driver(), values);
  EXPECT_TRUE(options.ok()) << options.status();
  if (options.ok()) machine.options = *options;
  return machine;
}

absl::StatusOr<Options> CloudUnderTest::OptionsOf(const std::vector<OptionValue>& more) {
  return MakeOptions(driver(), WithOptions(Account(), more));
}

absl::StatusOr<Observation> CloudUnderTest::Create(MachineSpec& machine) {
  absl::StatusOr<Observation> made = driver().Create(*Call(), machine);
  if (!record.checkpoints.empty()) machine.state = record.checkpoints.back();
  return made;
}

absl::StatusOr<Observation> CloudUnderTest::CreatePatiently(MachineSpec& machine) {
  absl::StatusOr<Observation> made = Create(machine);
  for (int i = 0; i < 3 && !made.ok() && IsTransient(made.status()); ++i) made = Create(machine);
  return made;
}

absl::Status CloudUnderTest::PreCreateCheck(const std::vector<OptionValue>& more) {
  return driver().PreCreateCheck(*Call(), Machine(more));
}

MachineState CloudUnderTest::Inspect(const MachineSpec& machine) {
  const auto seen = driver().Inspect(*Call(), machine);
  EXPECT_TRUE(seen.ok()) << seen.status();
  return seen.ok() ? seen->state() : machine::v1::MACHINE_STATE_ERROR;
}

}  // namespace machine::driver
