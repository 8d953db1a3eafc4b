// Our settings in the engine's daemon.json, beside those of others.
#ifndef SERVICES_PROVISIONER_STEPS_DAEMON_JSON_H_
#define SERVICES_PROVISIONER_STEPS_DAEMON_JSON_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/provisioner/detect/facts.h"
#include "services/provisioner/steps/engine_settings.h"

namespace machine::provisioner {

struct MergedDaemonJson {
  std::string text;      ///< What the file is to hold; the old text when nothing differs.
  bool changed = false;  ///< It differs from what is there.
  /// The file itself says where the engine listens ("hosts"), so the command line must not:
  /// dockerd refuses an option that is given in both places.
  bool lists_hosts = false;
  /// Settings of others that ours replace, as lines for the user.
  std::vector<std::string> warnings;
};

/// Puts `settings` into `existing`, the file's text, if there is one. Lists and maps are united (of
/// two labels with one key ours stays), other values replaced; what is not ours is kept.
/// FAILED_PRECONDITION HOST_COMMAND_FAILED when the text is no JSON object. `path` is for messages.
absl::StatusOr<MergedDaemonJson> MergeDaemonJson(const std::optional<std::string>& existing,
                                                 const EngineSettings& settings,
                                                 absl::string_view path = kDaemonJsonPath);

/// The storage driver that a daemon.json asks for; empty for none, or no JSON.
std::string StorageDriverIn(const std::optional<std::string>& daemon_json);

/// Containers go on while the engine restarts ("live-restore" is on).
bool LiveRestoreIn(const std::optional<std::string>& daemon_json);

/// The same file with "live-restore" on or off. As MergeDaemonJson().
absl::StatusOr<std::string> WithLiveRestore(const std::optional<std::string>& daemon_json, bool on,
                                            absl::string_view path = kDaemonJsonPath);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_DAEMON_JSON_H_
