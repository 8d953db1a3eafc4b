// The provider's API in memory: one account and its instances.
#ifndef TESTS_FAKES_TEMPLATE_FAKE_TEMPLATE_H_
#define TESTS_FAKES_TEMPLATE_FAKE_TEMPLATE_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::fakes {

/// Every request is checked against the API's description. Thread-safe.
class FakeTemplate final : public FakeServer {
 public:
  static constexpr char kToken[] = "a-very-secret-token";

  FakeTemplate();
  ~FakeTemplate() override;

  /// A just-made instance is unknown in its first `reads` reads.
  void SetLag(int reads);
  /// A guest that does not obey "stop".
  void IgnoreStop(bool ignore);
  void SetLimit(int instances);

  std::vector<std::string> InstanceNames() const;
  /// As it was asked for.
  nlohmann::json LastCreate() const;

  /// As a user does in the control panel.
  void DestroyInstances(absl::string_view tag);
  void SetStatus(absl::string_view tag, absl::string_view status);
  /// `count` running instances, each with `tag` and "PREFIX-N" as a tag.
  void AddInstances(int count, absl::string_view tag, absl::string_view prefix);

 private:
  using Json = nlohmann::json;
  using Handler = Response (FakeTemplate::*)(const Request&);

  void Add(absl::string_view method, absl::string_view pattern, Handler handler);
  Response Authorized(const Request& request, Handler handler);

  Response ListRegions(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListSizes(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListImages(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response ListInstances(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response CreateInstance(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response GetInstance(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response DeleteInstance(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Response Act(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Response Page(const Request& request, absl::string_view key, const std::vector<Json>& all) const;
  Json NewInstance(const Json& wanted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// Time goes on with each read: what is under way gets to its end.
  static void Advance(Json& instance);

  mutable absl::Mutex mu_;
  Lag lag_ ABSL_GUARDED_BY(mu_);
  bool ignore_stop_ ABSL_GUARDED_BY(mu_) = false;
  int limit_ ABSL_GUARDED_BY(mu_) = 2000;
  int64_t next_id_ ABSL_GUARDED_BY(mu_) = 1000;
  std::map<std::string, Json> instances_ ABSL_GUARDED_BY(mu_);
  Json last_create_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_TEMPLATE_FAKE_TEMPLATE_H_
