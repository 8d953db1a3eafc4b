// moto, an emulator of AWS that verifies signatures, with botocore's model of EC2 in front of it.
// https://github.com/getmoto/moto
#ifndef TESTS_FAKES_MOTO_MOTO_H_
#define TESTS_FAKES_MOTO_MOTO_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "services/common/process/process.h"

namespace machine::fakes {

/// A running moto on 127.0.0.1, at a port of the system's choice, with one account that may do
/// everything; it ends with this object. A request to EC2 that botocore's model does not know is
/// answered with the error code DoesNotFitTheModel.
class Moto {
 public:
  /// The Python that has it (environment MACHINE_MOTO_PYTHON, set by deploy/test.sh); no value
  /// where it is not installed.
  static std::optional<std::string> Python();

  /// Starts `script`, the path of serve.py, and waits until it listens. Errors: UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<Moto>> Start(const std::string& python,
                                                     const std::string& script);
  ~Moto();

  const std::string& url() const { return url_; }
  const std::string& access_key() const { return access_key_; }
  const std::string& secret_key() const { return secret_key_; }

 private:
  explicit Moto(common::Process process) : process_(std::move(process)) {}

  common::Process process_;
  std::string url_;
  std::string access_key_;
  std::string secret_key_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_MOTO_MOTO_H_
