#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/orchestrator/events/machine_filter.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/events/natural_order.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;

machine::v1::Machine MakeMachine(absl::string_view id, absl::string_view uid) {
  machine::v1::Machine machine;
  machine.set_name(absl::StrCat("machines/", id));
  machine.set_uid(std::string(uid));
  machine.set_driver("none");
  machine.set_state(machine::v1::MACHINE_STATE_RUNNING);
  (*machine.mutable_labels())["team"] = "blue green";
  return machine;
}

struct OrderCase {
  absl::string_view label, before, after;
};
class NaturalOrderTest : public testing::TestWithParam<OrderCase> {};
TEST_P(NaturalOrderTest, Sorts) {
  EXPECT_LT(NaturalKey(GetParam().before), NaturalKey(GetParam().after));
}
INSTANTIATE_TEST_SUITE_P(Names, NaturalOrderTest,
                         testing::ValuesIn<OrderCase>({
                             {"NumbersByValue", "dev2", "dev10"},
                             {"LettersWithoutCase", "Alpha", "beta"},
                             {"DigitsBeforeLetters", "a1", "ab"},
                             {"ShorterFirst", "dev", "dev1"},
                             {"LeadingZerosCountLast", "dev1", "dev02"},
                             {"EqualButForCaseStillDiffer", "Dev", "dev"},
                             {"LongNumbers", "n99999999999999999998", "n99999999999999999999"},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

struct FilterCase {
  absl::string_view label, text;
  bool valid, fits;
};
class MachineFilterTest : public testing::TestWithParam<FilterCase> {};
TEST_P(MachineFilterTest, ParsesAndFits) {
  const absl::StatusOr<MachineFilter> filter = MachineFilter::Parse(GetParam().text);
  ASSERT_EQ(filter.ok(), GetParam().valid) << filter.status();
  if (filter.ok()) {
    EXPECT_EQ(filter->Fits(MakeMachine("dev", "u1")), GetParam().fits);
  } else {
    EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
  }
}
INSTANTIATE_TEST_SUITE_P(Filters, MachineFilterTest,
                         testing::ValuesIn<FilterCase>({
                             {"EmptyFitsAll", "", true, true},
                             {"DriverFits", "driver=none", true, true},
                             {"DriverDiffers", "driver = generic", true, false},
                             {"NegatedDriver", "driver!=generic", true, true},
                             {"StateWordWithoutCase", "state=running", true, true},
                             {"StateEnumName", "state=MACHINE_STATE_RUNNING", true, true},
                             {"NameAndState", "name=dev AND state=Running", true, true},
                             {"AllTermsMustFit", "name=dev AND state=Stopped", true, false},
                             {"QuotedLabel", "labels.team=\"blue green\"", true, true},
                             {"AbsentLabelIsNotEqual", "labels.none=x", true, false},
                             {"AbsentLabelIsUnequal", "labels.none!=x", true, true},
                             {"UnknownKey", "color=red", false, false},
                             {"MissingOperator", "driver none", false, false},
                             {"MissingValue", "driver=", false, false},
                             {"OpenQuote", "name=\"dev", false, false},
                             {"MissingAnd", "name=dev state=Running", false, false},
                             {"TrailingAnd", "name=dev AND", false, false},
                             {"LabelWithoutKey", "labels.=x", false, false},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

std::vector<std::string> Names(const std::vector<MachinePointer>& machines) {
  std::vector<std::string> names;
  for (const MachinePointer& machine : machines) {
    names.emplace_back(MachineId(machine->machine.name()));
  }
  return names;
}

TEST(MachineIndexTest, ListsPagesInNaturalOrder) {
  MachineIndex index;
  for (const char* id : {"dev10", "dev2", "alpha"}) index.Load(MakeMachine(id, id));
  EXPECT_THAT(Names(index.List("", 2)), ElementsAre("alpha", "dev2"));
  EXPECT_THAT(Names(index.List(NaturalKey("dev2"), 2)), ElementsAre("dev10"));
}

TEST(MachineIndexTest, ARemovedMachineLeavesItsSuccessorOfTheSameNameAlone) {
  MachineIndex index;
  index.Load(MakeMachine("dev", "u1"));
  StoreChanges changes;
  changes.machines.resize(2);
  *changes.machines[0].record.mutable_machine() = MakeMachine("dev", "u2");
  *changes.machines[1].record.mutable_machine() = MakeMachine("dev", "u1");
  changes.machines[1].removed = true;
  index.Apply(changes);
  ASSERT_NE(index.Find("dev"), nullptr);
  EXPECT_EQ(index.Find("dev")->machine.uid(), "u2");
  EXPECT_EQ(index.FindByUid("u1"), nullptr);
}

TEST(MachineIndexTest, AnOlderObservationTimeNeverReplacesANewerOne) {
  MachineIndex index;
  index.Load(MakeMachine("dev", "u1"));
  index.Find("dev")->observed_us = 5'000'000;
  index.Load(MakeMachine("dev", "u1"));
  EXPECT_EQ(ToMessage(*index.Find("dev")).observe_time().seconds(), 5);
}

TEST(MachineIndexTest, WhatAnotherProcessObservedCountsForAllButThoseAtWork) {
  MachineIndex index;
  index.Load(MakeMachine("dev", "u1"));
  machine::v1::Machine busy = MakeMachine("busy", "u2");
  busy.set_pending_operation("operations/1");
  index.Load(busy);
  index.Find("dev")->observed_us = 5;
  StoreChanges changes;
  changes.observed_us = 7;
  index.Apply(changes);
  EXPECT_EQ(index.Find("dev")->observed_us, 7);
  EXPECT_EQ(index.Find("busy")->observed_us, 0);
  changes.observed_us = 6;
  index.Apply(changes);
  EXPECT_EQ(index.Find("dev")->observed_us, 7);
}

}  // namespace
}  // namespace machine::orchestrator
