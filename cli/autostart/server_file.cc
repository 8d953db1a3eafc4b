#include "cli/autostart/server_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using nlohmann::json;

std::string TextOf(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

int64_t NumberOf(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
}

}  // namespace

std::optional<ServerFile> ReadServerFile(absl::string_view path) {
  const auto text = common::ReadFile(path, /*max_bytes=*/64 << 10);
  if (!text.ok()) return std::nullopt;
  const json file = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!file.is_object()) return std::nullopt;
  ServerFile server{.pid = NumberOf(file, "pid"),
                    .start_time = NumberOf(file, "start_time"),
                    .address = TextOf(file, "address"),
                    .cookie = TextOf(file, "cookie"),
                    .build = TextOf(file, "build")};
  if (server.pid <= 0 || server.address.empty()) return std::nullopt;
  return server;
}

bool IsRunning(const ServerFile& file) {
  return common::IsAlive(static_cast<pid_t>(file.pid), file.start_time);
}

absl::StatusOr<std::string> BuildLabel(absl::string_view executable) {
  struct stat info = {};
  if (stat(std::string(executable).c_str(), &info) != 0) {
    return absl::ErrnoToStatus(errno, std::string(executable));
  }
  return absl::StrCat(info.st_size, "-",
                      int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec);
}

}  // namespace machine::cli
