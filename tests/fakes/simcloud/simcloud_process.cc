#include "tests/fakes/simcloud/simcloud_process.h"

#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/file/file.h"

namespace machine::fakes {
namespace {

constexpr absl::Duration kStartLimit = absl::Minutes(1);
constexpr absl::Duration kPoll = absl::Milliseconds(5);

}  // namespace

SimCloudProcess::SimCloudProcess(const std::string& folder, uint64_t seed) {
  const std::string port_file = folder + "/simcloud.port";
  common::SpawnOptions options;
  options.argv = {"tests/fakes/simcloud/simcloud", folder + "/simcloud.ledger", port_file,
                  absl::StrCat(seed)};
  absl::StatusOr<common::Process> process = common::Process::Spawn(options);
  if (!process.ok()) {
    ADD_FAILURE() << process.status();
    return;
  }
  process_ = std::make_unique<common::Process>(*std::move(process));
  const absl::Time deadline = absl::Now() + kStartLimit;
  absl::StatusOr<std::string> port = common::ReadFile(port_file);
  for (; !port.ok() && absl::Now() < deadline; port = common::ReadFile(port_file)) {
    absl::SleepFor(kPoll);
  }
  EXPECT_TRUE(port.ok()) << "simcloud does not start: " << port.status();
  if (port.ok()) url_ = absl::StrCat("http://127.0.0.1:", *port);
}

void SimCloudProcess::Behave(const nlohmann::json& behaviour) {
  Send("PUT", "/behaviour", behaviour.dump());
}

nlohmann::json SimCloudProcess::Ledger() {
  return nlohmann::json::parse(Send("GET", "/ledger", ""), nullptr, /*allow_exceptions=*/false);
}

std::vector<nlohmann::json> SimCloudProcess::Objects(const std::string& kind,
                                                     const std::string& tag) {
  std::vector<nlohmann::json> objects;
  const nlohmann::json ledger = Ledger();
  if (!ledger.is_object()) return objects;
  for (const nlohmann::json& object : ledger.at("objects")) {
    if (!kind.empty() && object.at("kind") != kind) continue;
    if (!tag.empty() && object.at("tag") != tag) continue;
    objects.push_back(object);
  }
  return objects;
}

void SimCloudProcess::DeleteByHand(const std::string& id) {
  Send("DELETE", absl::StrCat("/v1/instances/", id), "");
}

std::string SimCloudProcess::Send(const std::string& method, const std::string& path,
                                  const std::string& body) {
  common::HttpRequest request;
  request.method = method;
  request.url = absl::StrCat(url_, path);
  request.body = body;
  absl::StatusOr<common::HttpResponse> response = http_.Send(request);
  EXPECT_TRUE(response.ok()) << method << " " << path << ": " << response.status();
  if (!response.ok()) return "";
  EXPECT_LT(response->status, 300) << method << " " << path << ": " << response->body;
  return std::move(response->body);
}

}  // namespace machine::fakes
