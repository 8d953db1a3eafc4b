// Chooses the orchestrator of a command.
#ifndef CLI_CONNECT_TARGET_H_
#define CLI_CONNECT_TARGET_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cli/args/environment.h"
#include "cli/connect/connector.h"
#include "cli/connect/contexts.h"
#include "cli/output/console.h"

namespace machine::cli {

/// What the global flags say about the orchestrator.
struct TargetOptions {
  std::string storage_path;
  /// --host or MACHINE_HOST, an address or the name of a context; empty means the current context,
  /// else the private orchestrator.
  std::string host;
  /// Credentials for `host`.
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};

/// Decides when it is first connected, so that a command that makes no call reads no file.
class TargetConnector final : public Connector {
 public:
  TargetConnector(TargetOptions options, const Environment& env, Console& console);

  absl::StatusOr<common::Channel> Connect() override;
  absl::StatusOr<common::Channel> Reconnect(const absl::Status& cause,
                                            absl::Duration patience) override;
  /// False before Connect().
  bool is_private() const override { return chosen_ != nullptr && chosen_->is_private(); }

 private:
  absl::StatusOr<std::unique_ptr<Connector>> Choose();

  const TargetOptions options_;
  const Environment& env_;
  Console& console_;
  std::unique_ptr<Connector> chosen_;
};

}  // namespace machine::cli

#endif  // CLI_CONNECT_TARGET_H_
