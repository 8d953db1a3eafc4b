// What a private orchestrator says about itself in `<storage>/server/server.json`.
#ifndef CLI_AUTOSTART_SERVER_FILE_H_
#define CLI_AUTOSTART_SERVER_FILE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::cli {

/// Written by the orchestrator once it listens.
struct ServerFile {
  int64_t pid = 0;
  /// As common::ProcessStartTime() gives it.
  int64_t start_time = 0;
  /// "unix:/path".
  std::string address;
  /// Shared secret that each call carries.
  std::string cookie;
  /// BuildLabel() of its executable.
  std::string build;

  bool operator==(const ServerFile& other) const {
    return pid == other.pid && start_time == other.start_time && address == other.address;
  }
};

/// The file's contents; none when there is no such file, or when it is damaged: both mean that
/// nobody is known to listen.
std::optional<ServerFile> ReadServerFile(absl::string_view path);

/// The process that wrote `file` still runs.
bool IsRunning(const ServerFile& file);

/// "SIZE-MTIME_NS" of an executable: changes whenever it is installed anew.
absl::StatusOr<std::string> BuildLabel(absl::string_view executable);

}  // namespace machine::cli

#endif  // CLI_AUTOSTART_SERVER_FILE_H_
