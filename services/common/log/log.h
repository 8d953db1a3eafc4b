// One JSON object a line on standard error: time, severity, component, message and what it is
// about.
//
//   const Logger log(Severity::kInfo, "orchestrator");
//   log.Info("operation done", {{"operation", name}, {"machine_uid", uid}});
//   log.Debug("request", {{"request", Redacted(request)}});
#ifndef SERVICES_COMMON_LOG_LOG_H_
#define SERVICES_COMMON_LOG_LOG_H_

#include <google/protobuf/message.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/clock/clock.h"

namespace machine::common {

enum class Severity { kDebug, kInfo, kWarning, kError };

/// "debug", "info", "warning" or "error".
absl::string_view SeverityName(Severity severity);
std::optional<Severity> ParseSeverity(absl::string_view name);

/// What a line is about: operation, machine_uid, driver, method … Values must not be secret.
using LogFields = std::vector<std::pair<absl::string_view, std::string>>;

/// Writes whole lines, so that lines of several threads and processes do not mix. Thread-safe and
/// copyable; copies write to the same place.
class Logger {
 public:
  /// Lines below `least` are dropped. `fd` stays the caller's.
  Logger(Severity least, absl::string_view component, int fd = STDERR_FILENO,
         const Clock& clock = Clock::Real());

  void Debug(absl::string_view message, const LogFields& fields = {}) const;
  void Info(absl::string_view message, const LogFields& fields = {}) const;
  void Warning(absl::string_view message, const LogFields& fields = {}) const;
  void Error(absl::string_view message, const LogFields& fields = {}) const;
  void Write(Severity severity, absl::string_view message, const LogFields& fields) const;

  bool enabled(Severity severity) const { return severity >= least_; }

 private:
  Severity least_;
  std::string component_;
  int fd_;
  const Clock* clock_;
};

/// The message as one line of text, with "[secret]" for every field that is marked so, at any
/// depth. Any values are shown by their type only.
std::string Redacted(const google::protobuf::Message& message);

/// Clears every field marked secret, at any depth.
void ClearSecrets(google::protobuf::Message& message);

/// `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
std::string JsonString(absl::string_view text);

}  // namespace machine::common

#endif  // SERVICES_COMMON_LOG_LOG_H_
