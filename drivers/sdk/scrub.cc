#include "drivers/sdk/scrub.h"

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace machine::driver {
namespace {

// Shorter ones are found in innocent words.
constexpr size_t kShortestSecret = 4;
constexpr size_t kShortestKeyLine = 16;

}  // namespace

void Scrubber::Add(const ::driver::v1::MachineRef& machine) {
  for (const machine::v1::OptionValue& option : machine.options()) Add(option);
  // A key leaks line by line.
  for (const absl::string_view line : absl::StrSplit(machine.ssh_private_key(), '\n')) {
    if (line.size() >= kShortestKeyLine && !absl::StartsWith(line, "-----")) {
      secrets_.emplace_back(line);
    }
  }
}

void Scrubber::Add(const machine::v1::OptionValue& option) {
  if (option.secret_value().size() >= kShortestSecret) secrets_.push_back(option.secret_value());
}

std::string Scrubber::Clean(absl::string_view text) const {
  std::string clean(text);
  for (const std::string& secret : secrets_) {
    clean = absl::StrReplaceAll(clean, {{secret, "[secret]"}});
  }
  return clean;
}

absl::Status Scrubber::Clean(const absl::Status& status) const {
  if (status.ok() || secrets_.empty()) return status;
  absl::Status clean(status.code(), Clean(status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    const std::string flat(payload);
    if (Clean(flat) == flat) clean.SetPayload(url, payload);
  });
  return clean;
}

}  // namespace machine::driver
