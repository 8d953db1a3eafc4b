#include "services/common/rpc/tracing.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/crypto/random.h"

namespace machine::common {
namespace {

constexpr char kTraceparent[] = "traceparent";
constexpr size_t kTraceIdBytes = 16;
constexpr size_t kSpanIdBytes = 8;
constexpr size_t kTraceIdAt = 3;
constexpr size_t kTraceIdSize = 2 * kTraceIdBytes;
constexpr size_t kTraceparentSize = 55;

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string NewTraceId() { return absl::BytesToHexString(RandomBytes(kTraceIdBytes)); }

void CarryTrace(absl::string_view trace_id, grpc::ClientContext& context) {
  if (trace_id.empty()) return;
  const std::string span_id = absl::BytesToHexString(RandomBytes(kSpanIdBytes));
  context.AddMetadata(kTraceparent, absl::StrCat("00-", trace_id, "-", span_id, "-01"));
}

std::string TraceIdOf(absl::string_view traceparent) {
  // "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"; later versions may be longer.
  if (traceparent.size() < kTraceparentSize || traceparent[2] != '-' || traceparent[35] != '-' ||
      traceparent.substr(0, 2) == "ff" || !IsLowerHex(traceparent.substr(0, 2))) {
    return "";
  }
  const absl::string_view id = traceparent.substr(kTraceIdAt, kTraceIdSize);
  const bool zero = std::all_of(id.begin(), id.end(), [](char c) { return c == '0'; });
  return IsLowerHex(id) && !zero ? std::string(id) : "";
}

std::string TraceIdOf(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto it = metadata.find(kTraceparent);
  if (it == metadata.end()) return "";
  return TraceIdOf(absl::string_view(it->second.data(), it->second.size()));
}

}  // namespace machine::common
