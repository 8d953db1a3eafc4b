#include "drivers/sdk/adopt.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "drivers/sdk/errors.h"

namespace machine::driver {
namespace {

using Found = absl::StatusOr<std::optional<std::string>>;

class AdoptTest : public testing::Test {
 protected:
  // Runs AdoptOrCreate on a provider whose lookups answer `found`, one after the other.
  absl::StatusOr<std::string> Adopt(std::vector<Found> found, absl::StatusOr<std::string> made) {
    DriverCall call(absl::InfiniteFuture(), cancellation_, {});
    return AdoptOrCreate<std::string>(
        call, [&] { return found.at(static_cast<size_t>(finds_++)); },
        [&] {
          ++creates_;
          return made;
        },
        [](const std::string& instance) {
          return instance == "other" ? InstanceDiffers(instance, "its size") : absl::OkStatus();
        });
  }

  const std::shared_ptr<common::Cancellation> cancellation_ =
      std::make_shared<common::Cancellation>();
  int finds_ = 0;
  int creates_ = 0;
};

TEST_F(AdoptTest, CreatesWhatIsNotThere) {
  EXPECT_EQ(*Adopt({std::optional<std::string>()}, std::string("made")), "made");
  EXPECT_EQ(creates_, 1);
}

TEST_F(AdoptTest, AdoptsWhatIsThere) {
  EXPECT_EQ(*Adopt({std::optional<std::string>("found")}, std::string("made")), "found");
  EXPECT_EQ(creates_, 0);
}

TEST_F(AdoptTest, RefusesWhatDiffers) {
  const auto result = Adopt({std::optional<std::string>("other")}, std::string("made"));
  EXPECT_EQ(common::ReasonOf(result.status()), machine::v1::ERROR_REASON_INSTANCE_DIFFERS);
}

TEST_F(AdoptTest, AdoptsWhatAppearedSinceTheLookup) {
  EXPECT_EQ(*Adopt({std::optional<std::string>(), std::optional<std::string>("late")},
                   absl::AlreadyExistsError("name taken")),
            "late");
}

TEST_F(AdoptTest, KeepsTheErrorWhenTheNameIsTakenByAnother) {
  const auto result = Adopt({std::optional<std::string>(), std::optional<std::string>()},
                            absl::AlreadyExistsError("name taken"));
  EXPECT_EQ(result.status().message(), "name taken");
}

TEST_F(AdoptTest, CreatesNothingWhenTheLookupFails) {
  EXPECT_TRUE(
      absl::IsUnavailable(Adopt({absl::UnavailableError("down")}, std::string("made")).status()));
  EXPECT_EQ(creates_, 0);
}

TEST_F(AdoptTest, CreatesNothingOnceCancelled) {
  cancellation_->Cancel();
  EXPECT_TRUE(
      absl::IsCancelled(Adopt({std::optional<std::string>()}, std::string("made")).status()));
  EXPECT_EQ(finds_ + creates_, 0);
}

}  // namespace
}  // namespace machine::driver
