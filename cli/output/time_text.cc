#include "cli/output/time_text.h"

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace machine::cli {
namespace {

std::string Formatted(const google::protobuf::Timestamp& time, absl::string_view format,
                      absl::string_view unset) {
  if (time.seconds() == 0) return std::string(unset);
  return absl::FormatTime(format, absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

}  // namespace

std::string IsoTime(const google::protobuf::Timestamp& time) {
  return Formatted(time, "%Y-%m-%dT%H:%M:%SZ", "");
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return Formatted(time, "%Y-%m-%d %H:%M:%S", "never");
}

}  // namespace machine::cli
