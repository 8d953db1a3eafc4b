#include "services/common/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace machine::common {
namespace {

using ::testing::HasSubstr;

TEST(MetricsTest, SeriesOfOneNameAreKeptApartByLabels) {
  Metrics metrics;
  metrics.Count("operations_total", {{"verb", "create"}});
  metrics.Count("operations_total", {{"verb", "create"}});
  metrics.Count("operations_total", {{"verb", "delete"}});
  metrics.Set("watchers", {}, 7);
  const std::string text = metrics.Serialize();
  EXPECT_THAT(text, HasSubstr("operations_total{verb=\"create\"} 2"));
  EXPECT_THAT(text, HasSubstr("operations_total{verb=\"delete\"} 1"));
  EXPECT_THAT(text, HasSubstr("watchers 7"));
}

TEST(MetricsTest, CallsAreCountedByMethodAndCode) {
  Metrics metrics;
  static constexpr char kMethod[] = "/machine.v1.Machines/GetMachine";
  metrics.rpc().Observe(kMethod, 0, 0.002);
  metrics.rpc().Observe(kMethod, 5, 0.002);
  metrics.rpc().Observe(kMethod, 0, 0.002);
  const std::string text = metrics.Serialize();
  EXPECT_THAT(text, HasSubstr("rpc_seconds_count{code=\"0\","
                              "method=\"/machine.v1.Machines/GetMachine\"} 2"));
  EXPECT_THAT(text, HasSubstr("rpc_seconds_count{code=\"5\","));
}

TEST(MetricsTest, AreServedWhereTheAddressCanBeBound) {
  Metrics metrics;
  EXPECT_TRUE(metrics.Expose("127.0.0.1:0").ok());
  EXPECT_EQ(metrics.Expose("127.0.0.1:notaport").code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace machine::common
