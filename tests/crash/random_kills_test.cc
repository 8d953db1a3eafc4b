// kill -9 at random moments, under load, with a provider that fails at random: whatever happens, no
// machine is made twice, and nothing is left once all are removed.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/crash/simcloud_world.h"

namespace machine::tests {
namespace {

#ifndef KILLS
#define KILLS 60
#define CREATES 70
#endif

constexpr int kWorkers = CREATES > 1000 ? 8 : 4;
// So that the kills are spread over all creates.
constexpr uint64_t kObjectsBetweenKills = 2 * kObjectsOfMachine * CREATES / KILLS;
// Removed with one command at the end.
constexpr size_t kRemovedAtOnce = 50;
constexpr absl::Duration kQuiet = absl::Seconds(5);

uint64_t Seed() {
  const char* const given = std::getenv("MACHINE_TEST_SEED");
  uint64_t seed = 0;
  if (given != nullptr && absl::SimpleAtoi(given, &seed)) return seed;
  return std::random_device()();
}

class RandomKillsTest : public SimCloudWorldTest {
 protected:
  // One machine after the other, each through a few verbs; failures are what this is about.
  void Work(int worker, uint64_t seed) {
    std::mt19937_64 random(seed + static_cast<uint64_t>(worker));
    for (int i = 0; !stop_; ++i) {
      const std::string name = absl::StrCat("w", worker, "-", i);
      const bool rollback = random() % 2 == 0;
      Run(absl::StrCat("create -d simcloud --on-failure=", rollback ? "rollback " : "keep ", name));
      for (const char* const verb : {"stop ", "start ", "restart "}) {
        if (random() % 3 == 0) Run(verb + name);
      }
      // Some stay, to be there when the count is taken.
      if (random() % 4 != 0) Run("rm -y " + name);
      ++machines_;
    }
  }

  int64_t ObjectsEverMade() {
    const nlohmann::json ledger = cloud_->Ledger();
    int64_t sum = 0;
    if (!ledger.is_object()) return sum;
    for (const auto& [kind, count] : ledger.at("created").items()) sum += count.get<int64_t>();
    return sum;
  }

  // Kills in the middle of the work: each once a few more objects have been made.
  void KillAtRandom(std::mt19937_64& random) {
    const std::vector<std::string> programs = {"machine-orchestrator", "machine-orchestrator",
                                               "machine-driver-simcloud", "docker-machine"};
    for (int kill = 0; kill < KILLS; ++kill) {
      const int64_t goal =
          ObjectsEverMade() + static_cast<int64_t>(random() % kObjectsBetweenKills);
      Eventually(kQuiet, [&] { return ObjectsEverMade() >= goal; });
      killed_ += world_.SignalAll(programs[random() % programs.size()], SIGKILL);
    }
  }

  std::vector<std::string> Names() {
    return absl::StrSplit(Run("ls -q").out, '\n', absl::SkipEmpty());
  }

  std::atomic<bool> stop_ = false;
  std::atomic<int> machines_ = 0;
  size_t killed_ = 0;
};

TEST_F(RandomKillsTest, NothingIsMadeTwiceAndNothingIsLeft) {
  const uint64_t seed = Seed();
  std::cout << "MACHINE_TEST_SEED=" << seed << std::endl;
  std::mt19937_64 random(seed);
  StartProvider(seed);
  cloud_->Behave({{"fault_rate", 0.03}, {"lag_ms", 60}, {"latency_ms", 20}});
  ASSERT_EQ(Run("ls").exit_code, 0);
  std::vector<std::thread> workers;
  for (int worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([this, worker, seed] { Work(worker, seed); });
  }
  KillAtRandom(random);
  EXPECT_TRUE(Eventually(absl::Hours(2), [&] { return machines_ >= CREATES; }));
  stop_ = true;
  for (std::thread& worker : workers) worker.join();
  cloud_->Behave({{"fault_rate", 0}});

  // Every operation ends.
  EXPECT_TRUE(Eventually(absl::Minutes(3), [&] {
    return Run("ls --filter state=Creating --filter state=Removing -q").out.empty();
  }));
  std::map<std::string, std::map<std::string, int>> by_tag;
  for (const auto& object : cloud_->Objects()) ++by_tag[object.at("tag")][object.at("kind")];
  for (const auto& [tag, kinds] : by_tag) {
    for (const auto& [kind, count] : kinds) EXPECT_EQ(count, 1) << tag << " " << kind;
  }
  EXPECT_LE(by_tag.size(), Names().size()) << "instances that no record knows";
  std::vector<std::string> left = Names();
  while (!left.empty()) {
    const size_t count = std::min(left.size(), kRemovedAtOnce);
    const Outcome removed =
        Run("rm -y " + absl::StrJoin(left.end() - static_cast<ptrdiff_t>(count), left.end(), " "));
    EXPECT_EQ(removed.exit_code, 0) << removed;
    left.resize(left.size() - count);
  }
  EXPECT_TRUE(Names().empty());
  EXPECT_TRUE(cloud_->Objects().empty()) << cloud_->Ledger().dump();
  std::cout << killed_ << " processes killed at " << KILLS << " moments, " << machines_
            << " machines through their verbs, " << cloud_->Ledger().at("created").dump()
            << " made, " << cloud_->Objects().size() << " left\n";
  EXPECT_GE(killed_, static_cast<size_t>(KILLS) / 2);
}

}  // namespace
}  // namespace machine::tests
