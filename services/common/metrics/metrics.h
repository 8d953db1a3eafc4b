// Prometheus metrics of a process, without Prometheus' headers in every file.
#ifndef SERVICES_COMMON_METRICS_METRICS_H_
#define SERVICES_COMMON_METRICS_METRICS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace machine::common {

/// Label names and values of one time series, at most a handful; never an unbounded value such as
/// a machine's name.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// Durations and codes of the calls a server answered. Thread-safe.
class RpcMetrics {
 public:
  virtual ~RpcMetrics() = default;
  /// `method` must stay valid for the life of the process, as gRPC's own names do.
  virtual void Observe(const char* method, int code, double seconds) = 0;
  /// Calls answered so far.
  virtual int64_t calls() const = 0;
};

/// All metrics of a process. Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  /// Adds to the counter `name` with `labels`.
  void Count(absl::string_view name, const MetricLabels& labels, double by = 1);
  /// Sets the gauge `name` with `labels`.
  void Set(absl::string_view name, const MetricLabels& labels, double value);
  /// Puts a duration into the histogram `name` (in seconds) with `labels`.
  void Observe(absl::string_view name, const MetricLabels& labels, double seconds);

  /// `rpc_seconds{method,code}`.
  RpcMetrics& rpc();

  /// The text format that Prometheus reads.
  std::string Serialize() const;

  /// Serves them at http://ADDRESS/metrics until destroyed, to whoever asks: there is neither TLS
  /// nor a password. `address` is "HOST:PORT", HOST a literal address. UNAVAILABLE when it cannot
  /// be bound.
  absl::Status Expose(absl::string_view address);

 private:
  class Registry;
  class RpcHistogram;
  class Endpoint;

  std::unique_ptr<Registry> registry_;
  std::unique_ptr<RpcHistogram> rpc_;
  std::unique_ptr<Endpoint> endpoint_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_METRICS_METRICS_H_
