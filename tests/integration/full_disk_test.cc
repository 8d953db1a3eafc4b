// The disk of the store fills up: a clear error, nothing that was reported is lost, and everything
// goes on once there is room.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/file/small_disk_for_test.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kDiskBytes = 8 << 20;
// More than are needed until the store's log has no room that it can use again.
constexpr int kMaxCreates = 200;

class FullDiskTest : public WorldTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(world_.storage());
    disk_ = std::make_unique<common::SmallDiskForTest>(world_.storage(), kDiskBytes);
    if (!disk_->mounted()) GTEST_SKIP() << "needs a mount namespace";
  }
  void TearDown() override {
    if (disk_->mounted()) disk_->MakeRoom();
    WorldTest::TearDown();
    disk_.reset();
  }

  Outcome Create(absl::string_view name) {
    return Run(absl::StrCat("create -d none --url=tcp://127.0.0.1:1 ", name));
  }

  std::set<std::string> Names() const {
    const std::string out = Run("ls -q").out;
    return absl::StrSplit(out, '\n', absl::SkipEmpty());
  }

  std::unique_ptr<common::SmallDiskForTest> disk_;
};

TEST_F(FullDiskTest, CreatesFailInClearWordsAndSucceedOnceThereIsRoom) {
  ASSERT_EQ(Create("first").exit_code, 0);
  disk_->Fill();
  std::set<std::string> made = {"first"};
  Outcome failed;
  for (int i = 0; i < kMaxCreates; ++i) {
    const std::string name = absl::StrCat("m", i);
    failed = Create(name);
    if (failed.exit_code != 0) break;
    made.insert(name);
  }
  EXPECT_EQ(failed.exit_code, 1) << failed;
  EXPECT_THAT(failed.err,
              AnyOf(HasSubstr("the disk is full"), HasSubstr("No space left on device")))
      << failed;
  EXPECT_THAT(failed.out, Not(HasSubstr("To see how to connect")));
  // What was reported as made is there; reads need no room.
  for (const std::string& name : made) EXPECT_EQ(Names().count(name), 1u) << name;

  disk_->MakeRoom();
  EXPECT_EQ(Create("last").exit_code, 0);
  made.insert("last");
  for (const std::string& name : made) EXPECT_EQ(Run(absl::StrCat("rm -y ", name)).exit_code, 0);
}

TEST_F(FullDiskTest, AnOrchestratorThatHasNoRoomToStartSaysSo) {
  ASSERT_EQ(Create("dev").exit_code, 0);
  ASSERT_TRUE(world_.StopOrchestrator());
  disk_->Fill();
  const Outcome refused = Run("ls -q");
  EXPECT_EQ(refused.exit_code, 1) << refused;
  EXPECT_THAT(refused.err, HasSubstr("the orchestrator cannot start: the disk is full")) << refused;
  disk_->MakeRoom();
  EXPECT_EQ(Run("ls -q").out, "dev\n");
}

}  // namespace
}  // namespace machine::tests
