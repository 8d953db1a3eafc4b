// The dashboard that is ready for Grafana: every metric that it shows is there to be read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstdlib>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "re2/re2.h"
#include "services/common/file/file.h"
#include "services/common/process/unique_fd.h"
#include "tests/integration/listener.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::Contains;

constexpr char kDashboard[] = "deploy/grafana/docker-machine.json";
constexpr absl::Duration kLimit = absl::Minutes(1);

// What PromQL knows itself, and labels.
bool IsMetric(const std::string& word) {
  static const auto& others = *new std::set<std::string>{
      "sum",     "by",           "rate",     "increase", "histogram_quantile",
      "le",      "label_values", "instance", "verb",     "step",
      "outcome", "method",       "program",  "code"};
  return others.count(word) == 0;
}

void AddMetrics(const std::string& expression, std::set<std::string>& metrics) {
  // Without what is selected, which holds values.
  std::string rest = expression;
  RE2::GlobalReplace(&rest, R"(\{[^}]*\}|\[[^\]]*\])", "");
  absl::string_view input(rest);
  re2::StringPiece words(input.data(), input.size());
  std::string word;
  while (RE2::FindAndConsume(&words, R"(([a-z_]+))", &word)) {
    if (IsMetric(word)) metrics.insert(word);
  }
}

std::set<std::string> MetricsOfDashboard() {
  const auto dashboard = nlohmann::json::parse(common::ReadFile(kDashboard).value());
  std::set<std::string> metrics;
  for (const auto& panel : dashboard.at("panels")) {
    for (const auto& target : panel.at("targets")) AddMetrics(target.at("expr"), metrics);
  }
  for (const auto& variable : dashboard.at("templating").at("list")) {
    if (variable.at("type") == "query") AddMetrics(variable.at("query").at("query"), metrics);
  }
  return metrics;
}

// A port that is free a moment later still: the system gives others first.
int FreePort() { return Listener().port(); }

class MetricsTest : public WorldTest {};

TEST_F(MetricsTest, EveryMetricOfTheDashboardIsExported) {
  const int port = FreePort();
  RunningCommand orchestrator =
      world_.StartOrchestrator(absl::StrCat("--metrics-address=127.0.0.1:", port));
  const Listener engine;
  ASSERT_EQ(Run(absl::StrCat("create -d none --url=", engine.url(), " dev")).exit_code, 0);
  std::set<std::string> exported;
  const auto scrape = [&] {
    const Outcome answer = world_.RunOther(
        {"bash", "-c",
         absl::StrCat("exec 3<>/dev/tcp/127.0.0.1/", port,
                      " && printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3")});
    for (const absl::string_view line : absl::StrSplit(answer.out, '\n')) {
      const size_t end = line.find_first_of("{ ");
      if (end != absl::string_view::npos) exported.emplace(line.substr(0, end));
    }
    // The watch over children looks now and then.
    return exported.count("child_resident_bytes") == 1;
  };
  EXPECT_TRUE(Eventually(kLimit, scrape));
  const std::set<std::string> shown = MetricsOfDashboard();
  EXPECT_GT(shown.size(), 8u);
  for (const std::string& metric : shown) EXPECT_THAT(exported, Contains(metric));
  orchestrator.Signal(SIGTERM);
  EXPECT_EQ(orchestrator.Wait().exit_code, 0);
}

}  // namespace
}  // namespace machine::tests
