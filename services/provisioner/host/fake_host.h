// A host that answers scripts from a list. For tests.
#ifndef SERVICES_PROVISIONER_HOST_FAKE_HOST_H_
#define SERVICES_PROVISIONER_HOST_FAKE_HOST_H_

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "services/provisioner/host/remote_host.h"

namespace machine::provisioner {

/// Gives the answers in the order they were added, and keeps the scripts it was given.
class FakeHost final : public RemoteHost {
 public:
  void Answer(absl::string_view stdout_data, int exit_code = 0,
              absl::string_view stderr_data = "") {
    common::CommandResult result;
    result.stdout_data = std::string(stdout_data);
    result.stderr_data = std::string(stderr_data);
    result.exit_code = exit_code;
    answers_.push_back(std::move(result));
  }
  void Answer(absl::Status status) { answers_.push_back(std::move(status)); }

  absl::StatusOr<common::CommandResult> Run(common::CallScope& call,
                                            const HostScript& script) override {
    if (absl::Status status = call.Check(); !status.ok()) return status;
    scripts_.push_back(script);
    if (answers_.empty()) return absl::InternalError("the fake host has no more answers");
    absl::StatusOr<common::CommandResult> answer = std::move(answers_.front());
    answers_.pop_front();
    if (answer.ok() && script.on_line) {
      for (absl::string_view line : absl::StrSplit(answer->stdout_data, '\n', absl::SkipEmpty())) {
        script.on_line(line);
      }
    }
    return answer;
  }

  int commands_run() const override { return static_cast<int>(scripts_.size()); }
  std::string host_key_sha256() const override { return "fakehostkey"; }
  std::string user() const override { return "deb"; }

  const std::vector<HostScript>& scripts() const { return scripts_; }
  size_t answers_left() const { return answers_.size(); }

 private:
  std::deque<absl::StatusOr<common::CommandResult>> answers_;
  std::vector<HostScript> scripts_;
};

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_HOST_FAKE_HOST_H_
