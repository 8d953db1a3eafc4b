// What every Store must do with transactions: groups, views, order, listener, threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "services/orchestrator/store/store_contract.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST_P(StoreContractTest, ATransactionSeesItsOwnWritesAndNobodyElseDoes) {
  ASSERT_TRUE(Write([&](StoreTransaction& t) -> absl::Status {
                DM_RETURN_IF_ERROR(t.InsertMachine(TestMachine("dev")));
                DM_ASSIGN_OR_RETURN(const auto own, t.FindMachineByName("dev"));
                EXPECT_TRUE(own.has_value());
                EXPECT_FALSE(Machine("dev").has_value());
                return absl::OkStatus();
              }).ok());
  EXPECT_TRUE(Machine("dev").has_value());
}

TEST_P(StoreContractTest, AReadIsOneView) {
  ASSERT_TRUE(store_
                  ->Read([&](StoreReader& reader) -> absl::Status {
                    DM_RETURN_IF_ERROR(reader.ListDrivers().status());
                    DM_RETURN_IF_ERROR(Write(
                        [](StoreTransaction& t) { return t.InsertMachine(TestMachine("dev")); }));
                    DM_ASSIGN_OR_RETURN(const auto machine, reader.FindMachineByName("dev"));
                    EXPECT_FALSE(machine.has_value());
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_TRUE(Machine("dev").has_value());
}

TEST_P(StoreContractTest, AReadGivesTheStatusOfItsClosure) {
  EXPECT_EQ(store_->Read([](StoreReader&) { return absl::CancelledError("enough"); }),
            absl::CancelledError("enough"));
}

// Holds the store's thread, so that what is written meanwhile becomes one group.
class Gate {
 public:
  explicit Gate(Store& store) {
    store.Write(
        [this](StoreTransaction&) {
          entered_.Notify();
          open_.WaitForNotification();
          return absl::OkStatus();
        },
        nullptr);
    entered_.WaitForNotification();
  }
  void Open() { open_.Notify(); }

 private:
  absl::Notification entered_;
  absl::Notification open_;
};

TEST_P(StoreContractTest, AClosureThatFailsInsideAGroupLeavesNothingAndHarmsNobody) {
  Gate gate(*store_);
  std::vector<absl::Status> results(5);
  absl::BlockingCounter left(5);
  for (int i = 0; i < 5; ++i) {
    store_->Write(
        [i](StoreTransaction& t) -> absl::Status {
          DM_RETURN_IF_ERROR(InsertWholeMachine(t, absl::StrCat("m", i)));
          return i % 2 == 1 ? absl::CancelledError("changed my mind") : absl::OkStatus();
        },
        [&, i](absl::Status status) {
          results[i] = std::move(status);
          left.DecrementCount();
        });
  }
  gate.Open();
  left.Wait();
  for (int i = 0; i < 5; ++i) {
    const bool fails = i % 2 == 1;
    EXPECT_EQ(results[i].code(), fails ? absl::StatusCode::kCancelled : absl::StatusCode::kOk);
    const absl::Status whole = store_->Read(
        [&](StoreReader& reader) { return CheckWholeMachine(reader, absl::StrCat("m", i)); });
    EXPECT_EQ(whole.code(), fails ? absl::StatusCode::kNotFound : absl::StatusCode::kOk) << whole;
  }
}

TEST_P(StoreContractTest, TransactionsOfACallerRunInTheirOrderAndDoneSaysDurable) {
  constexpr int kWrites = 600;
  std::vector<int> ran;
  std::vector<int> done;
  absl::BlockingCounter left(kWrites);
  for (int i = 0; i < kWrites; ++i) {
    store_->Write(
        [&, i](StoreTransaction& t) {
          ran.push_back(i);
          return t.PutSecret("uid", absl::StrCat(i), "x");
        },
        [&, i](absl::Status status) {
          EXPECT_TRUE(status.ok()) << status;
          EXPECT_TRUE(Get([i](StoreReader& r) {
                        return r.FindSecret("uid", absl::StrCat(i));
                      }).has_value());
          done.push_back(i);
          left.DecrementCount();
        });
  }
  left.Wait();
  ASSERT_THAT(ran, SizeIs(kWrites));
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
  EXPECT_EQ(done, ran);
}

TEST_P(StoreContractTest, ADoneMayWriteAgain) {
  absl::Notification second;
  store_->Write([](StoreTransaction& t) { return t.InsertMachine(TestMachine("m1")); },
                [&](absl::Status) {
                  store_->Write(
                      [](StoreTransaction& t) { return t.InsertMachine(TestMachine("m2")); },
                      [&](absl::Status status) {
                        EXPECT_TRUE(status.ok());
                        second.Notify();
                      });
                });
  second.WaitForNotification();
  EXPECT_TRUE(Machine("m2").has_value());
}

TEST_P(StoreContractTest, WhatWasHandedOverIsWrittenBeforeTheStoreCloses) {
  int done = 0;
  for (int i = 0; i < 50; ++i) {
    store_->Write([i](StoreTransaction& t) { return t.PutSecret("uid", absl::StrCat(i), "x"); },
                  [&](absl::Status status) { done += status.ok(); });
  }
  Reopen();
  EXPECT_EQ(done, 50);
  EXPECT_TRUE(Get([](StoreReader& r) { return r.FindSecret("uid", "49"); }).has_value());
}

// What a listener heard, as text.
std::string Describe(const StoreChanges& changes) {
  std::string text;
  for (const auto& change : changes.machines) {
    const machine::v1::Machine& machine = change.record.machine();
    absl::StrAppend(&text, machine.uid(), change.removed ? " removed" : "",
                    " pending=", machine.pending_operation(), "; ");
  }
  for (const auto& event : changes.events) {
    absl::StrAppend(&text, event.operation, "#", event.event.sequence(), "; ");
  }
  for (const std::string& cancel : changes.cancels) absl::StrAppend(&text, "cancel ", cancel, "; ");
  return text;
}

TEST_P(StoreContractTest, TheListenerHearsEachChangeOnceInOrderAndBeforeTheDones) {
  std::vector<std::string> heard;
  store_->SetListener([&](const StoreChanges& changes) { heard.push_back(Describe(changes)); });
  const auto done = [&](absl::Status status) { heard.push_back(status.ok() ? "done" : "failed"); };
  Gate gate(*store_);
  store_->Write([](StoreTransaction& t) { return InsertWholeMachine(t, "dev"); }, done);
  store_->Write([](StoreTransaction& t) { return t.RequestCancel("operations/dev-create"); }, done);
  store_->Write([](StoreTransaction& t) { return t.InsertMachine(TestMachine("dev")); }, done);
  store_->Write([](StoreTransaction& t) { return t.PutSecret("uid", "a", "b"); }, done);
  store_->Write([](StoreTransaction& t) { return t.DeleteMachine("uid-dev"); }, done);
  gate.Open();
  store_ = nullptr;
  EXPECT_THAT(heard, ElementsAre("uid-dev pending=operations/dev-create; operations/dev-create#1; "
                                 "operations/dev-create#2; ",
                                 "cancel operations/dev-create; ",
                                 "uid-dev removed pending=operations/dev-create; ", "done", "done",
                                 "failed", "done", "done"));
}

TEST_P(StoreContractTest, WhatTheListenerHearsIsCommitted) {
  int heard = 0;
  store_->SetListener([&](const StoreChanges& changes) {
    ++heard;
    EXPECT_EQ(Machine("dev")->machine().etag(), changes.machines[0].record.machine().etag());
  });
  ASSERT_TRUE(Write([](StoreTransaction& t) { return InsertWholeMachine(t, "dev"); }).ok());
  EXPECT_EQ(heard, 1);
}

TEST_P(StoreContractTest, ManyThreadsWriteAndReadAtOnce) {
  constexpr int kThreads = 20;
  constexpr int kEach = 20;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i] {
      for (int j = 0; j < kEach; ++j) {
        const std::string name = absl::StrCat("m", i, "-", j);
        EXPECT_TRUE(Write([&](StoreTransaction& t) { return InsertWholeMachine(t, name); }).ok());
        EXPECT_TRUE(
            store_->Read([&](StoreReader& reader) { return CheckWholeMachine(reader, name); })
                .ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(List("", true, "", 1000), SizeIs(kThreads * kEach));
}

TEST_P(StoreContractTest, OfManyCreatesOfOneNameExactlyOneSucceeds) {
  std::atomic<int> made = 0;
  absl::BlockingCounter left(20);
  for (int i = 0; i < 20; ++i) {
    store_->Write([](StoreTransaction& t) { return InsertWholeMachine(t, "dev"); },
                  [&](absl::Status status) {
                    made += status.ok();
                    EXPECT_TRUE(status.ok() || absl::IsAlreadyExists(status)) << status;
                    left.DecrementCount();
                  });
  }
  left.Wait();
  EXPECT_EQ(made, 1);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContractTest, testing::ValuesIn(StoreFactories()),
                         FactoryLabel);

}  // namespace
}  // namespace machine::orchestrator
