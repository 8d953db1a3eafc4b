// A provider that fails as real ones do, by a seed.
#ifndef TESTS_FAKES_SIMCLOUD_SIMCLOUD_H_
#define TESTS_FAKES_SIMCLOUD_SIMCLOUD_H_

#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/fakes/simcloud/ledger.h"

namespace httplib {
class Server;
struct Request;
struct Response;
}  // namespace httplib

namespace machine::fakes {

/// How it behaves; set by PUT /behaviour, an absent member stays as it is.
struct Behaviour {
  /// Every request under /v1 is refused with 500.
  bool down = false;
  /// Share of requests under /v1 that meet a fault, from 0 to 1.
  double fault_rate = 0;
  /// How long lists do not show what was made.
  absl::Duration lag = absl::ZeroDuration();
  /// How long an instance takes until it is active.
  absl::Duration latency = absl::ZeroDuration();
};

/// Serves, as JSON, KIND being instances, keys, rules, disks or ips:
///   POST /v1/KIND {tag, owner, size}    GET /v1/KIND?tag=T    GET, DELETE /v1/KIND/ID
///   POST /v1/instances/ID/power {on}    POST /v1/search {tags}: instances of many tags
///   GET /v1/owned?owner=O: instances of an orchestrator
/// and for the test, without faults and lag:
///   GET /ledger: {objects, created}    PUT /behaviour {down, fault_rate, lag_ms, latency_ms}
///
/// Deleting an instance also takes its disk and its address. A request under /v1 that meets a fault
/// is, at random: refused with 429; refused with 500; carried out and answered with 500, with
/// garbage or not at all; delayed; or, where it deletes an instance, carried out by half, which
/// leaves disk and address. Thread-safe.
class SimCloud {
 public:
  SimCloud(Ledger ledger, uint64_t seed);
  ~SimCloud();

  /// Binds to a port of the system's choice on 127.0.0.1; -1 when that fails.
  int Bind();
  /// Serves until the process ends.
  void Serve();

 private:
  enum class Fault {
    kNone,
    kThrottle,
    kRefuse,
    kFailAfterEffect,
    kGarbageAfterEffect,
    kLoseReply,
    kDelay,
    kHalf,
  };

  void Answer(const httplib::Request& request, httplib::Response& response);
  Fault Draw() ABSL_LOCKS_EXCLUDED(mu_);
  // Carries out a request under /v1.
  void CarryOut(const httplib::Request& request, bool half, httplib::Response& response)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Create(const httplib::Request& request, httplib::Response& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Search(const httplib::Request& request, httplib::Response& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Delete(const SimObject& object, bool half) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ShowLedger(httplib::Response& response) ABSL_LOCKS_EXCLUDED(mu_);
  void Behave(const httplib::Request& request, httplib::Response& response)
      ABSL_LOCKS_EXCLUDED(mu_);
  bool Shows(const SimObject& object) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  nlohmann::json Describe(const SimObject& object) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::unique_ptr<httplib::Server> server_;
  absl::Mutex mu_;
  Ledger ledger_ ABSL_GUARDED_BY(mu_);
  Behaviour behaviour_ ABSL_GUARDED_BY(mu_);
  std::mt19937_64 random_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_SIMCLOUD_SIMCLOUD_H_
