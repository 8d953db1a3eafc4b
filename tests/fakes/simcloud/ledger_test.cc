#include "tests/fakes/simcloud/ledger.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"

namespace machine::fakes {
namespace {

std::string NewPath(absl::string_view leaf) {
  return absl::StrCat(testing::TempDir(), "/", leaf, ".", getpid());
}

TEST(LedgerTest, KnowsInTheNextProcessWhatItWroteInTheLast) {
  const std::string path = NewPath("kept");
  std::string kept;
  {
    absl::StatusOr<Ledger> ledger = Ledger::Open(path);
    ASSERT_TRUE(ledger.ok()) << ledger.status();
    const auto create = [&](const char* kind) {
      return ledger->Create({.id = "", .kind = kind, .tag = "t", .owner = "o", .created = {}});
    };
    kept = create("instances")->id;
    const std::string gone = create("disks")->id;
    ASSERT_TRUE(ledger->SetPower(kept, false).ok());
    ASSERT_TRUE(ledger->Delete(gone).ok());
    ASSERT_TRUE(ledger->Delete(gone).ok());
  }
  const absl::StatusOr<Ledger> ledger = Ledger::Open(path);
  ASSERT_TRUE(ledger.ok()) << ledger.status();
  ASSERT_EQ(ledger->OfTag("t").size(), 1u);
  EXPECT_EQ(ledger->OfTag("t")[0]->id, kept);
  EXPECT_FALSE(ledger->Find(kept)->on);
  EXPECT_EQ(ledger->created("disks"), 1);
  EXPECT_TRUE(ledger->OfTag("u").empty());
  unlink(path.c_str());
}

TEST(LedgerTest, RefusesAFileOfSomebodyElse) {
  const std::string path = NewPath("foreign");
  ASSERT_TRUE(common::WriteFileAtomically(path, "hello\n", 0600).ok());
  EXPECT_EQ(Ledger::Open(path).status().code(), absl::StatusCode::kDataLoss);
  unlink(path.c_str());
}

}  // namespace
}  // namespace machine::fakes
