// How a driver's rows become tests of a shared suite. For cloud_suite.h and cloud_options_suite.h.
#ifndef DRIVERS_SDK_CONFORMANCE_CLOUD_ROWS_H_
#define DRIVERS_SDK_CONFORMANCE_CLOUD_ROWS_H_

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "drivers/sdk/conformance/cloud_under_test.h"

namespace machine::driver {

using MakeCloud = std::unique_ptr<CloudUnderTest> (*)();

template <typename Cloud>
std::unique_ptr<CloudUnderTest> MakeCloudOf() {
  return std::make_unique<Cloud>();
}

/// A provider, and a row for it.
template <typename Row>
struct CloudRow {
  MakeCloud make;
  Row row;
};

/// The end of a test's name, of letters and digits; a row without `label` has an overload.
template <typename Row>
std::string LabelOf(const Row& row) {
  return row.label;
}

/// For messages of failed tests.
template <typename Row>
void PrintTo(const CloudRow<Row>& row, std::ostream* out) {
  *out << LabelOf(row.row);
}

template <typename Cloud, typename Row>
auto CloudRows(std::vector<Row> rows) {
  std::vector<CloudRow<Row>> all;
  for (Row& row : rows) all.push_back({&MakeCloudOf<Cloud>, std::move(row)});
  return testing::ValuesIn(all);
}

/// `rows`, and `more` behind them.
template <typename Row>
std::vector<Row> Joined(std::vector<Row> rows, const std::vector<Row>& more) {
  rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

/// What a driver does by rows.
template <typename Row>
class CloudRowTest : public testing::TestWithParam<CloudRow<Row>> {
 protected:
  CloudRowTest() : cloud_(this->GetParam().make()), row_(this->GetParam().row) {}

  const std::unique_ptr<CloudUnderTest> cloud_;
  const Row row_;
};

// For the INSTANTIATE_… of the suites alone.
#define INSTANTIATE_CLOUD_ROWS_(Cloud, Suite, Rows)                                 \
  INSTANTIATE_TEST_SUITE_P(Cloud, Suite, ::machine::driver::CloudRows<Cloud>(Rows), \
                           [](const auto& info) { return LabelOf(info.param.row); })

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CONFORMANCE_CLOUD_ROWS_H_
