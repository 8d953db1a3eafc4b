// What every Store must do with records.
#include "services/orchestrator/store/store_contract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_P(StoreContractTest, WhatIsNotThereIsNulloptAndNoError) {
  EXPECT_FALSE(Machine("dev").has_value());
  EXPECT_FALSE(Operation("operations/1").has_value());
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindMachine("uid"); }).has_value());
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindRequest("me", "1"); }).has_value());
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindSecret("uid", "token"); }).has_value());
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindCertificate("ca"); }).has_value());
  EXPECT_THAT(Get([](StoreReader& r) { return r.ListDrivers(); }), IsEmpty());
  EXPECT_THAT(Get([](StoreReader& r) { return r.ListEvents("operations/1", 0); }), IsEmpty());
  EXPECT_THAT(List("", false, "", 10), IsEmpty());
}

TEST_P(StoreContractTest, AnInsertedMachineIsFoundByUidAndNameAlsoAfterReopening) {
  MachineRecord machine = TestMachine("dev");
  machine.set_driver_state_sealed(std::string("a\0b'", 4));
  ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.InsertMachine(machine); }).ok());
  for (const bool reopen : {false, true}) {
    if (reopen) Reopen();
    const std::optional<MachineRecord> found =
        Get([](StoreReader& r) { return r.FindMachine("uid-dev"); });
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->driver_state_sealed(), machine.driver_state_sealed());
    EXPECT_EQ(found->machine().name(), "machines/dev");
    EXPECT_EQ(found->machine().update_time().seconds(), 1'700'000'000);
    EXPECT_EQ(found->machine().create_time().seconds(), 1'700'000'000);
    EXPECT_FALSE(found->machine().etag().empty());
    EXPECT_EQ(Machine("dev")->SerializeAsString(), found->SerializeAsString());
  }
}

TEST_P(StoreContractTest, ANameWithQuotesIsJustAName) {
  const std::string name = "o'neil\"; DROP TABLE machines; --";
  ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.InsertMachine(TestMachine(name)); }).ok());
  ASSERT_TRUE(Machine(name).has_value());
  EXPECT_FALSE(Machine("o").has_value());
}

TEST_P(StoreContractTest, ASecondMachineOfANameIsRefusedAndNamesTheOpenOperation) {
  const OperationRecord operation = Begin("dev", "create", "a");
  MachineRecord second = TestMachine("dev");
  second.mutable_machine()->set_uid("other");
  const absl::Status status = Write([&](StoreTransaction& t) { return t.InsertMachine(second); });
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status.message(), "Docker machine \"dev\" already exists");
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_MACHINE_EXISTS);
  EXPECT_EQ(common::ErrorMetadataOf(status, "operation"), operation.name());
  EXPECT_EQ(Machine("dev")->machine().uid(), "uid-dev");
}

TEST_P(StoreContractTest, AnUpdateChangesEtagAndTimeAndTellsThemTheCaller) {
  ASSERT_TRUE(Write([](StoreTransaction& t) { return t.InsertMachine(TestMachine("dev")); }).ok());
  MachineRecord record = *Machine("dev");
  const std::string etag = record.machine().etag();
  clock_.Advance(absl::Seconds(5));
  record.mutable_machine()->set_docker_version("26.1");
  ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.UpdateMachine(record); }).ok());
  EXPECT_NE(record.machine().etag(), etag);
  EXPECT_EQ(record.machine().update_time().seconds(), 1'700'000'005);
  EXPECT_EQ(Machine("dev")->SerializeAsString(), record.SerializeAsString());
}

TEST_P(StoreContractTest, AnUpdateWithAnOldCopyKeepsThePendingOperation) {
  ASSERT_TRUE(Write([](StoreTransaction& t) { return t.InsertMachine(TestMachine("dev")); }).ok());
  MachineRecord old = *Machine("dev");
  const OperationRecord operation = Begin("dev", "start", "a");
  ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.UpdateMachine(old); }).ok());
  EXPECT_EQ(Machine("dev")->machine().pending_operation(), operation.name());
  EXPECT_EQ(old.machine().pending_operation(), operation.name());
}

TEST_P(StoreContractTest, AMachineMadeAgainHasAnotherEtag) {
  MachineRecord first = TestMachine("dev");
  first.mutable_machine()->set_uid("11111111-a");
  MachineRecord second = TestMachine("dev");
  second.mutable_machine()->set_uid("22222222-a");
  ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.InsertMachine(first); }).ok());
  const std::string etag = Machine("dev")->machine().etag();
  ASSERT_TRUE(Write([&](StoreTransaction& t) -> absl::Status {
                DM_RETURN_IF_ERROR(t.DeleteMachine("11111111-a"));
                return t.InsertMachine(second);
              }).ok());
  EXPECT_NE(Machine("dev")->machine().etag(), etag);
}

TEST_P(StoreContractTest, UpdatingAMachineThatIsGoneIsNotFound) {
  MachineRecord record = TestMachine("dev");
  const absl::Status status = Write([&](StoreTransaction& t) { return t.UpdateMachine(record); });
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_MACHINE_NOT_FOUND);
}

TEST_P(StoreContractTest, DeletingAMachineRemovesItsSecretsOnlyAndIsRepeatable) {
  ASSERT_TRUE(Write([](StoreTransaction& t) -> absl::Status {
                DM_RETURN_IF_ERROR(InsertWholeMachine(t, "dev"));
                return InsertWholeMachine(t, "other");
              }).ok());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Write([](StoreTransaction& t) { return t.DeleteMachine("uid-dev"); }).ok());
    EXPECT_FALSE(Machine("dev").has_value());
    EXPECT_FALSE(Get([](StoreReader& r) { return r.FindSecret("uid-dev", "token"); }).has_value());
    // Its operation still has to tell how it ended.
    EXPECT_TRUE(Operation("operations/dev-create").has_value());
    EXPECT_TRUE(Get([](StoreReader& r) { return r.FindSecret("uid-other", "token"); }).has_value());
  }
}

TombstoneRecord TestTombstone(absl::string_view name, int64_t next_attempt_us) {
  TombstoneRecord tombstone;
  *tombstone.mutable_machine() = TestMachine(name);
  tombstone.set_next_attempt_us(next_attempt_us);
  return tombstone;
}

TEST_P(StoreContractTest, ABuriedMachineIsGoneButItsSecretsStayUntilItsTombstoneGoes) {
  ASSERT_TRUE(Write([](StoreTransaction& t) { return InsertWholeMachine(t, "dev"); }).ok());
  ASSERT_TRUE(
      Write([](StoreTransaction& t) { return t.BuryMachine(TestTombstone("dev", 7)); }).ok());
  Reopen();
  EXPECT_FALSE(Machine("dev").has_value());
  EXPECT_TRUE(Get([](StoreReader& r) { return r.FindTombstone("uid-dev"); }).has_value());
  EXPECT_TRUE(Get([](StoreReader& r) { return r.FindSecret("uid-dev", "token"); }).has_value());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Write([](StoreTransaction& t) { return t.DeleteTombstone("uid-dev"); }).ok());
    EXPECT_FALSE(Get([](StoreReader& r) { return r.FindTombstone("uid-dev"); }).has_value());
    EXPECT_FALSE(Get([](StoreReader& r) { return r.FindSecret("uid-dev", "token"); }).has_value());
  }
}

TEST_P(StoreContractTest, TheNameOfABuriedMachineIsFree) {
  ASSERT_TRUE(Write([](StoreTransaction& t) -> absl::Status {
                DM_RETURN_IF_ERROR(t.InsertMachine(TestMachine("dev")));
                DM_RETURN_IF_ERROR(t.BuryMachine(TestTombstone("dev", 7)));
                MachineRecord second = TestMachine("dev");
                second.mutable_machine()->set_uid("other");
                return t.InsertMachine(second);
              }).ok());
  EXPECT_EQ(Machine("dev")->machine().uid(), "other");
}

TEST_P(StoreContractTest, OnlyAMachineThatIsThereCanBeBuried) {
  const absl::Status status =
      Write([](StoreTransaction& t) { return t.BuryMachine(TestTombstone("dev", 7)); });
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_MACHINE_NOT_FOUND);
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindTombstone("uid-dev"); }).has_value());
}

TEST_P(StoreContractTest, TombstonesThatAreDueAreListedTheLongestWaitingFirst) {
  ASSERT_TRUE(Write([](StoreTransaction& t) -> absl::Status {
                for (const auto& [name, time] :
                     {std::pair<const char*, int64_t>{"b", 30}, {"c", 10}, {"a", 20}}) {
                  DM_RETURN_IF_ERROR(t.InsertMachine(TestMachine(name)));
                  DM_RETURN_IF_ERROR(t.BuryMachine(TestTombstone(name, time)));
                }
                return t.UpdateTombstone(TestTombstone("c", 25));
              }).ok());
  const auto due = [&](int64_t us, int limit) {
    std::vector<std::string> uids;
    for (const TombstoneRecord& tombstone :
         Get([&](StoreReader& r) { return r.ListTombstones(absl::FromUnixMicros(us), limit); })) {
      uids.push_back(tombstone.machine().machine().uid());
    }
    return uids;
  };
  EXPECT_THAT(due(25, 10), ElementsAre("uid-a", "uid-c"));
  EXPECT_THAT(due(25, 1), ElementsAre("uid-a"));
  EXPECT_THAT(due(30, 10), SizeIs(3));
}

TEST_P(StoreContractTest, ACredentialIsReplacedListedByNameAndTakesItsSecretsWithIt) {
  const auto put = [](absl::string_view name, int version) {
    CredentialRecord record;
    record.mutable_credential()->set_name(std::string(name));
    record.mutable_credential()->set_version(version);
    return record;
  };
  ASSERT_TRUE(Write([&](StoreTransaction& t) -> absl::Status {
                DM_RETURN_IF_ERROR(t.PutCredential(put("credentials/b", 1)));
                DM_RETURN_IF_ERROR(t.PutCredential(put("credentials/a", 1)));
                DM_RETURN_IF_ERROR(t.PutSecret("credentials/a", "token", "sealed"));
                return t.PutCredential(put("credentials/a", 2));
              }).ok());
  Reopen();
  const auto all = Get([](StoreReader& r) { return r.ListCredentials(); });
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].credential().version(), 2);
  EXPECT_EQ(all[1].credential().name(), "credentials/b");
  const auto find = [](StoreReader& r) { return r.FindCredential("credentials/a"); };
  EXPECT_TRUE(Get(find).has_value());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(
        Write([](StoreTransaction& t) { return t.DeleteCredential("credentials/a"); }).ok());
    EXPECT_FALSE(Get(find).has_value());
    EXPECT_FALSE(
        Get([](StoreReader& r) { return r.FindSecret("credentials/a", "token"); }).has_value());
  }
}

TEST_P(StoreContractTest, EveryMachineIsVisitedInTheOrderOfNames) {
  ASSERT_TRUE(Write([](StoreTransaction& t) -> absl::Status {
                for (const absl::string_view name : {"b", "c", "a"}) {
                  DM_RETURN_IF_ERROR(t.InsertMachine(TestMachine(name)));
                }
                return absl::OkStatus();
              }).ok());
  std::vector<std::string> names;
  std::vector<std::string> bad_rows;
  ASSERT_TRUE(store_
                  ->Read([&](StoreReader& reader) {
                    return reader.ForEachMachine(
                        [&](MachineRecord record) { names.push_back(record.machine().name()); },
                        &bad_rows);
                  })
                  .ok());
  EXPECT_THAT(names, ElementsAre("machines/a", "machines/b", "machines/c"));
  EXPECT_THAT(bad_rows, IsEmpty());
}

TEST_P(StoreContractTest, AnOperationIsPendingOnItsMachineUntilItIsDone) {
  OperationRecord operation = Begin("dev", "create", "a");
  EXPECT_EQ(operation.epoch(), 1);
  EXPECT_EQ(Machine("dev")->machine().pending_operation(), operation.name());
  operation.set_step(3);
  ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.UpdateOperation(operation); }).ok());
  EXPECT_EQ(Operation(operation.name())->step(), 3);
  EXPECT_EQ(Machine("dev")->machine().pending_operation(), operation.name());
  const std::string etag = Machine("dev")->machine().etag();
  ASSERT_TRUE(Finish(operation).ok());
  EXPECT_EQ(Machine("dev")->machine().pending_operation(), "");
  EXPECT_NE(Machine("dev")->machine().etag(), etag);
  EXPECT_TRUE(Operation(operation.name())->result().done());
}

TEST_P(StoreContractTest, EachOperationOfAMachineHasAHigherEpoch) {
  const OperationRecord first = Begin("dev", "create", "a");
  ASSERT_TRUE(Finish(first).ok());
  EXPECT_GT(Begin("dev", "stop", "a").epoch(), first.epoch());
}

TEST_P(StoreContractTest, AMachineHasOneOpenOperationAtATime) {
  const OperationRecord first = Begin("dev", "create", "a");
  OperationRecord second = TestOperation("dev", "stop");
  const absl::Status status =
      Write([&](StoreTransaction& t) { return t.InsertOperation(second, "a"); });
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_OPERATION_IN_PROGRESS);
  EXPECT_EQ(common::ErrorMetadataOf(status, "operation"), first.name());
  EXPECT_EQ(common::ErrorMetadataOf(status, "verb"), "create");
  EXPECT_FALSE(Operation(second.name()).has_value());
}

TEST_P(StoreContractTest, AnOperationNeedsItsMachine) {
  OperationRecord operation = TestOperation("dev", "stop");
  const absl::Status status =
      Write([&](StoreTransaction& t) { return t.InsertOperation(operation, "a"); });
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_MACHINE_NOT_FOUND);
}

TEST_P(StoreContractTest, AWorkerThatLostItsLeaseWritesNothing) {
  OperationRecord old = Begin("dev", "create", "a");
  ExpireLeases();
  const auto claimed = store_->ClaimOperations("b", 10);
  ASSERT_TRUE(claimed.ok()) << claimed.status();
  ASSERT_THAT(*claimed, SizeIs(1));
  EXPECT_GT(claimed->at(0).epoch(), old.epoch());
  old.set_step(9);
  MachineRecord machine = *Machine("dev");
  machine.mutable_machine()->set_docker_version("stale");
  const absl::Status status = Write([&](StoreTransaction& t) -> absl::Status {
    DM_RETURN_IF_ERROR(t.UpdateMachine(machine));
    return t.UpdateOperation(old);
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_LEASE_LOST);
  EXPECT_EQ(Operation(old.name())->step(), 0);
  EXPECT_EQ(Machine("dev")->machine().docker_version(), "");
  EXPECT_TRUE(Finish(claimed->at(0)).ok());
}

TEST_P(StoreContractTest, ADoneOperationIsWrittenNoMore) {
  const OperationRecord operation = Begin("dev", "create", "a");
  ASSERT_TRUE(Finish(operation).ok());
  EXPECT_EQ(common::ReasonOf(Finish(operation)), machine::v1::ERROR_REASON_LEASE_LOST);
  EXPECT_EQ(common::ReasonOf(Finish(TestOperation("dev", "other"))),
            machine::v1::ERROR_REASON_OPERATION_NOT_FOUND);
}

TEST_P(StoreContractTest, ADeleteClosesItsOperationWithoutAMachine) {
  const OperationRecord operation = Begin("dev", "delete", "a");
  ASSERT_TRUE(Write([&](StoreTransaction& t) -> absl::Status {
                OperationRecord done = operation;
                done.mutable_result()->set_done(true);
                DM_RETURN_IF_ERROR(t.DeleteMachine("uid-dev"));
                return t.UpdateOperation(done);
              }).ok());
  EXPECT_FALSE(Machine("dev").has_value());
  EXPECT_TRUE(Operation(operation.name())->result().done());
}

TEST_P(StoreContractTest, RenewingSaysOnceThatALeaseWasLostAndKeepsTheOthers) {
  Begin("dev", "create", "a");
  EXPECT_TRUE(store_->RenewLeases("a").ok());
  ExpireLeases();
  ASSERT_TRUE(store_->ClaimOperations("b", 10).ok());
  const absl::Status status = store_->RenewLeases("a");
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_LEASE_LOST);
  EXPECT_EQ(common::ErrorMetadataOf(status, "operation"), "operations/dev-create");
  EXPECT_TRUE(store_->RenewLeases("a").ok());
  EXPECT_TRUE(store_->RenewLeases("b").ok());
}

TEST_P(StoreContractTest, OperationsOfAnOwnerThatIsGoneAreClaimedOldestFirst) {
  Begin("m1", "create", "gone");
  Begin("m2", "create", "gone");
  ASSERT_TRUE(Finish(Begin("m3", "create", "gone")).ok());
  Begin("m4", "create", "gone");
  Reopen();
  ExpireLeases();
  Begin("m5", "create", "new");
  const auto first = store_->ClaimOperations("new", 2);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_THAT(*first, SizeIs(2));
  EXPECT_EQ(first->at(0).machine_name(), "m1");
  EXPECT_EQ(first->at(1).machine_name(), "m2");
  EXPECT_EQ(first->at(0).epoch(), 2);
  const auto second = store_->ClaimOperations("new", 2);
  ASSERT_TRUE(second.ok());
  ASSERT_THAT(*second, SizeIs(1));
  EXPECT_EQ(second->at(0).machine_name(), "m4");
  EXPECT_THAT(*store_->ClaimOperations("new", 2), IsEmpty());
}

TEST_P(StoreContractTest, ACancelSurvivesTheNextWriteOfTheWorker) {
  OperationRecord operation = Begin("dev", "create", "a");
  ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.RequestCancel(operation.name()); }).ok());
  EXPECT_TRUE(Operation(operation.name())->metadata().cancel_requested());
  operation.set_step(1);
  ASSERT_TRUE(Write([&](StoreTransaction& t) { return t.UpdateOperation(operation); }).ok());
  EXPECT_TRUE(Operation(operation.name())->metadata().cancel_requested());
  EXPECT_EQ(Operation(operation.name())->step(), 1);
}

TEST_P(StoreContractTest, ACancelOfADoneOperationChangesNothing) {
  const OperationRecord operation = Begin("dev", "create", "a");
  ASSERT_TRUE(Finish(operation).ok());
  EXPECT_TRUE(Write([&](StoreTransaction& t) { return t.RequestCancel(operation.name()); }).ok());
  EXPECT_FALSE(Operation(operation.name())->metadata().cancel_requested());
  EXPECT_EQ(common::ReasonOf(
                Write([](StoreTransaction& t) { return t.RequestCancel("operations/none"); })),
            machine::v1::ERROR_REASON_OPERATION_NOT_FOUND);
}

TEST_P(StoreContractTest, EventsCountFromOneWithoutGapsPerOperation) {
  const OperationRecord first = Begin("m1", "create", "a");
  const OperationRecord second = Begin("m2", "create", "a");
  ASSERT_TRUE(Write([&](StoreTransaction& t) -> absl::Status {
                for (int i = 1; i <= 3; ++i) {
                  machine::v1::OperationEvent event = TestEvent(absl::StrCat("line ", i));
                  DM_RETURN_IF_ERROR(t.AppendEvent(first.name(), event));
                  EXPECT_EQ(event.sequence(), i);
                  EXPECT_EQ(event.time().seconds(), 1'700'000'000);
                }
                machine::v1::OperationEvent other = TestEvent("other");
                DM_RETURN_IF_ERROR(t.AppendEvent(second.name(), other));
                EXPECT_EQ(other.sequence(), 1);
                return absl::OkStatus();
              }).ok());
  const auto events = Get([&](StoreReader& r) { return r.ListEvents(first.name(), 1); });
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].sequence(), 2);
  EXPECT_EQ(events[1].log().text(), "line 3");
  machine::v1::OperationEvent lost = TestEvent("lost");
  EXPECT_EQ(common::ReasonOf(
                Write([&](StoreTransaction& t) { return t.AppendEvent("operations/none", lost); })),
            machine::v1::ERROR_REASON_OPERATION_NOT_FOUND);
}

TEST_P(StoreContractTest, OperationsAreListedNewestFirstInPages) {
  for (const absl::string_view machine : {"m1", "m2", "m3"}) Begin(machine, "create", "a");
  ASSERT_TRUE(Finish(*Operation("operations/m2-create")).ok());
  Begin("m2", "stop", "a");
  EXPECT_THAT(List("", false, "", 3),
              ElementsAre("operations/m2-stop", "operations/m3-create", "operations/m2-create"));
  EXPECT_THAT(List("", false, "operations/m2-create", 3), ElementsAre("operations/m1-create"));
  EXPECT_THAT(List("", true, "", 9),
              ElementsAre("operations/m2-stop", "operations/m3-create", "operations/m1-create"));
  EXPECT_THAT(List("", true, "operations/m2-stop", 1), ElementsAre("operations/m3-create"));
  EXPECT_THAT(List("m2", false, "", 9), ElementsAre("operations/m2-stop", "operations/m2-create"));
  EXPECT_THAT(List("m2", true, "", 9), ElementsAre("operations/m2-stop"));
  const absl::Status status = store_->Read([](StoreReader& reader) {
    return reader.ListOperations("", false, "operations/none", 1).status();
  });
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_OPERATION_NOT_FOUND);
}

TEST_P(StoreContractTest, AnOperationIsForgottenWithItsEventsOnceDone) {
  const OperationRecord operation = Begin("dev", "create", "a");
  machine::v1::OperationEvent event = TestEvent("line");
  ASSERT_TRUE(
      Write([&](StoreTransaction& t) { return t.AppendEvent(operation.name(), event); }).ok());
  const auto forget = [&](StoreTransaction& t) { return t.DeleteOperation(operation.name()); };
  EXPECT_EQ(Write(forget).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(Finish(operation).ok());
  EXPECT_TRUE(Write(forget).ok());
  EXPECT_EQ(Write(forget).code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(Operation(operation.name()).has_value());
  EXPECT_THAT(Get([&](StoreReader& r) { return r.ListEvents(operation.name(), 0); }), IsEmpty());
}

TEST_P(StoreContractTest, ARequestIdIsKnownToItsCallerForItsLifetime) {
  const RequestRecord request{"me", "id", std::string("\0\xff", 2), "operations/1"};
  const auto insert = [&](StoreTransaction& t) { return t.InsertRequest(request); };
  const auto find = [](StoreReader& r) { return r.FindRequest("me", "id"); };
  ASSERT_TRUE(Write(insert).ok());
  ASSERT_TRUE(Get(find).has_value());
  EXPECT_EQ(Get(find)->body_hash, request.body_hash);
  EXPECT_EQ(Get(find)->operation, "operations/1");
  EXPECT_FALSE(Get([](StoreReader& r) { return r.FindRequest("you", "id"); }).has_value());
  const absl::Status reused = Write(insert);
  EXPECT_EQ(reused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(common::ReasonOf(reused), machine::v1::ERROR_REASON_REQUEST_ID_REUSED);
  clock_.Advance(kRequestLifetime - absl::Seconds(1));
  EXPECT_TRUE(Get(find).has_value());
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(Get(find).has_value());
  EXPECT_TRUE(Write(insert).ok());
  EXPECT_TRUE(Get(find).has_value());
}

TEST_P(StoreContractTest, SecretsCertificatesAndDriversAreReplaced) {
  for (const std::string value : {"one", "two"}) {
    DriverRecord driver;
    driver.set_name("far");
    driver.set_address(value);
    CertificateRecord certificate;
    certificate.set_name("ca");
    certificate.set_cert_pem(value);
    ASSERT_TRUE(Write([&](StoreTransaction& t) -> absl::Status {
                  DM_RETURN_IF_ERROR(t.PutSecret("uid", "token", value));
                  DM_RETURN_IF_ERROR(t.PutCertificate(certificate));
                  return t.PutDriver(driver);
                }).ok());
    EXPECT_EQ(Get([](StoreReader& r) { return r.FindSecret("uid", "token"); }), value);
    EXPECT_EQ(Get([](StoreReader& r) { return r.FindCertificate("ca"); })->cert_pem(), value);
    const auto drivers = Get([](StoreReader& r) { return r.ListDrivers(); });
    ASSERT_THAT(drivers, SizeIs(1));
    EXPECT_EQ(drivers[0].address(), value);
  }
  ASSERT_TRUE(Write([](StoreTransaction& t) { return t.DeleteDriver("far"); }).ok());
  EXPECT_THAT(Get([](StoreReader& r) { return r.ListDrivers(); }), IsEmpty());
}

TEST_P(StoreContractTest, FinishedOperationsAndRequestsAreKeptForSevenDays) {
  const OperationRecord open = Begin("open", "create", "a");
  ASSERT_TRUE(Write([](StoreTransaction& t) -> absl::Status {
                for (int i = 0; i < 450; ++i) {
                  const std::string name = absl::StrCat("m", i);
                  DM_RETURN_IF_ERROR(InsertWholeMachine(t, name));
                  DM_ASSIGN_OR_RETURN(auto operation, t.FindOperation(absl::StrCat(
                                                          "operations/", name, "-create")));
                  operation->mutable_result()->set_done(true);
                  DM_RETURN_IF_ERROR(t.UpdateOperation(*operation));
                }
                return absl::OkStatus();
              }).ok());
  clock_.Advance(absl::Hours(7 * 24) - absl::Seconds(1));
  Reopen();
  EXPECT_THAT(List("", false, "", 1000), SizeIs(451));
  clock_.Advance(absl::Seconds(2));
  Reopen();
  // A pass takes a bounded number; the writer goes on with the next after each group.
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Write([](StoreTransaction& t) { return t.PutSecret("uid", "a", "b"); }).ok());
  }
  EXPECT_THAT(List("", false, "", 1000), ElementsAre(open.name()));
  EXPECT_THAT(Get([](StoreReader& r) { return r.ListEvents("operations/m0-create", 0); }),
              IsEmpty());
  EXPECT_TRUE(Machine("m0").has_value());
}

TEST_P(StoreContractTest, TheIdIsMadeOnceAndKept) {
  const std::string id = store_->orchestrator_id();
  EXPECT_THAT(id, testing::MatchesRegex("[0-9a-f-]{36}"));
  Reopen();
  EXPECT_EQ(store_->orchestrator_id(), id);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContractTest, testing::ValuesIn(StoreFactories()),
                         FactoryLabel);

}  // namespace
}  // namespace machine::orchestrator
