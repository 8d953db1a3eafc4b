#include "services/common/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <map>
#include <sstream>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace machine::common {
namespace {

const prometheus::Histogram::BucketBoundaries& SecondsBuckets() {
  static const auto* const buckets = new prometheus::Histogram::BucketBoundaries{
      0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300};
  return *buckets;
}

std::map<std::string, std::string> ToMap(const MetricLabels& labels) {
  return {labels.begin(), labels.end()};
}

}  // namespace

class Metrics::Registry {
 public:
  // Families and series are looked up by name in prometheus-cpp, which is thread-safe.
  prometheus::Family<prometheus::Counter>& Counter(absl::string_view name) {
    return prometheus::BuildCounter().Name(std::string(name)).Register(*registry_);
  }
  prometheus::Family<prometheus::Gauge>& Gauge(absl::string_view name) {
    return prometheus::BuildGauge().Name(std::string(name)).Register(*registry_);
  }
  prometheus::Family<prometheus::Histogram>& Histogram(absl::string_view name) {
    return prometheus::BuildHistogram().Name(std::string(name)).Register(*registry_);
  }
  std::string Serialize() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, registry_->Collect());
    return out.str();
  }
  const std::shared_ptr<prometheus::Registry>& collectable() const { return registry_; }

 private:
  // Asking for a family that exists gives the same one.
  const std::shared_ptr<prometheus::Registry> registry_ =
      std::make_shared<prometheus::Registry>(prometheus::Registry::InsertBehavior::Merge);
};

class Metrics::Endpoint {
 public:
  Endpoint(absl::string_view address, const std::shared_ptr<prometheus::Registry>& registry)
      : exposer_(std::string(address), /*num_threads=*/1) {
    exposer_.RegisterCollectable(registry);
  }

 private:
  prometheus::Exposer exposer_;
};

// A call's series is found by the method's address, without building label strings.
class Metrics::RpcHistogram final : public RpcMetrics {
 public:
  explicit RpcHistogram(Registry& registry) : family_(registry.Histogram("rpc_seconds")) {}

  void Observe(const char* method, int code, double seconds) override {
    Series(method, code).Observe(seconds);
    calls_.fetch_add(1, std::memory_order_relaxed);
  }

  int64_t calls() const override { return calls_.load(std::memory_order_relaxed); }

 private:
  prometheus::Histogram& Series(const char* method, int code) {
    const std::pair<const char*, int> key(method, code);
    {
      absl::ReaderMutexLock lock(&mu_);
      const auto it = series_.find(key);
      if (it != series_.end()) return *it->second;
    }
    prometheus::Histogram& series =
        family_.Add({{"method", method}, {"code", std::to_string(code)}}, SecondsBuckets());
    absl::MutexLock lock(&mu_);
    series_[key] = &series;
    return series;
  }

  prometheus::Family<prometheus::Histogram>& family_;
  std::atomic<int64_t> calls_ = 0;
  absl::Mutex mu_;
  absl::flat_hash_map<std::pair<const char*, int>, prometheus::Histogram*> series_
      ABSL_GUARDED_BY(mu_);
};

Metrics::Metrics()
    : registry_(std::make_unique<Registry>()), rpc_(std::make_unique<RpcHistogram>(*registry_)) {}
Metrics::~Metrics() = default;

void Metrics::Count(absl::string_view name, const MetricLabels& labels, double by) {
  registry_->Counter(name).Add(ToMap(labels)).Increment(by);
}

void Metrics::Set(absl::string_view name, const MetricLabels& labels, double value) {
  registry_->Gauge(name).Add(ToMap(labels)).Set(value);
}

void Metrics::Observe(absl::string_view name, const MetricLabels& labels, double seconds) {
  registry_->Histogram(name).Add(ToMap(labels), SecondsBuckets()).Observe(seconds);
}

RpcMetrics& Metrics::rpc() { return *rpc_; }

std::string Metrics::Serialize() const { return registry_->Serialize(); }

absl::Status Metrics::Expose(absl::string_view address) {
  try {
    endpoint_ = std::make_unique<Endpoint>(address, registry_->collectable());
  } catch (const std::exception& error) {  // The library's only way to say that it cannot bind.
    return absl::UnavailableError(absl::StrCat("metrics on ", address, ": ", error.what()));
  }
  return absl::OkStatus();
}

}  // namespace machine::common
