#include "services/orchestrator/local_channel.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/common/file/file.h"
#include "services/common/rpc/health.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kHealthTimeout = absl::Seconds(10);

}  // namespace

absl::StatusOr<common::Channel> ConnectLocal(const Config& config) {
  const absl::StatusOr<std::string> text = common::ReadFile(config.info_path());
  const auto info = nlohmann::json::parse(text.value_or(""), nullptr, /*allow_exceptions=*/false);
  if (!info.is_object()) {
    return absl::UnavailableError(absl::StrCat("no orchestrator runs on ", config.storage_path,
                                               ": start it first, with --listen HOST:PORT"));
  }
  return common::Channel::Local(info.value("address", ""), info.value("cookie", ""));
}

absl::StatusOr<std::string> RunHealthCommand(const std::vector<std::string>& words) {
  std::vector<const char*> options = {"machine-orchestrator"};
  for (const std::string& word : words) options.push_back(word.c_str());
  ConfigReader reader(static_cast<int>(options.size()), options.data());
  std::string text = reader.Text();
  if (!text.empty()) return text;
  DM_ASSIGN_OR_RETURN(const Config config, reader.Read());
  DM_ASSIGN_OR_RETURN(const common::Channel channel, ConnectLocal(config));
  DM_RETURN_IF_ERROR(common::CheckHealth(channel, kHealthTimeout));
  return std::string("serving\n");
}

}  // namespace machine::orchestrator
