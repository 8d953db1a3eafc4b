// The simulator as the process it is, for tests.
#ifndef TESTS_FAKES_SIMCLOUD_SIMCLOUD_PROCESS_H_
#define TESTS_FAKES_SIMCLOUD_SIMCLOUD_PROCESS_H_

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "services/common/http/http_client.h"
#include "services/common/process/process.h"

namespace machine::fakes {

/// A running simcloud with a ledger of its own below `folder`. Killed at the end.
class SimCloudProcess {
 public:
  SimCloudProcess(const std::string& folder, uint64_t seed);

  /// "http://127.0.0.1:PORT"; empty when it does not run, which failed the test.
  const std::string& url() const { return url_; }
  /// As PUT /behaviour of SimCloud.
  void Behave(const nlohmann::json& behaviour);
  /// {objects, created} without lag and faults.
  nlohmann::json Ledger();
  /// The objects in the ledger with this tag and kind; all for empty ones.
  std::vector<nlohmann::json> Objects(const std::string& kind = "", const std::string& tag = "");
  /// Deletes an instance as its owner would by hand.
  void DeleteByHand(const std::string& id);

 private:
  std::string Send(const std::string& method, const std::string& path, const std::string& body);

  common::HttpClient http_;
  std::string url_;
  std::unique_ptr<common::Process> process_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_SIMCLOUD_SIMCLOUD_PROCESS_H_
