#include "services/orchestrator/api/machine_page.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"
#include "services/orchestrator/events/natural_order.h"

namespace machine::orchestrator {
namespace {

constexpr int kDefaultPage = 1000;
constexpr int kMaxPage = 10'000;
// Below gRPC's default limit of 4 MiB for a message that a client receives.
constexpr size_t kMaxPageBytes = 3 << 20;
constexpr size_t kTokenTag = 8;

// A machine's place in the order of the list.
std::string SortKey(const IndexedMachine& indexed, bool by_time) {
  const machine::v1::Machine& machine = indexed.machine;
  const std::string name = NaturalKey(MachineId(machine.name()));
  if (!by_time) return name;
  return absl::StrCat(absl::Dec(machine.create_time().seconds(), absl::kZeroPad12),
                      absl::Dec(machine.create_time().nanos(), absl::kZeroPad9), name);
}

// Ties a token to the arguments it belongs to.
std::string Tag(const machine::v1::ListMachinesRequest& request) {
  return common::Sha256(absl::StrCat(request.filter(), "\n", request.order_by()))
      .substr(0, kTokenTag);
}

absl::StatusOr<std::string> ReadToken(const machine::v1::ListMachinesRequest& request) {
  if (request.page_token().empty()) return "";
  std::string token;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &token) || token.size() <= kTokenTag ||
      token.substr(0, kTokenTag) != Tag(request)) {
    return common::InvalidField("page_token",
                                "the token is not of an earlier answer to the same request");
  }
  return token.substr(kTokenTag);
}

struct Order {
  bool by_time = false;
  bool descending = false;
};

absl::StatusOr<Order> ReadOrder(absl::string_view text) {
  Order order;
  order.descending = absl::ConsumeSuffix(&text, " desc");
  order.by_time = text == "create_time";
  if (!order.by_time && !text.empty() && text != "name") {
    return common::InvalidField("order_by", "expected name or create_time, with or without desc");
  }
  return order;
}

}  // namespace

void CopyMachine(const IndexedMachine& machine, const FieldSelection& fields,
                 machine::v1::Machine& to) {
  fields.Copy(machine.machine, to);
  const int64_t observed_us = machine.observed_us.load(std::memory_order_relaxed);
  if (observed_us > 0 && fields.Has(machine::v1::Machine::kObserveTimeFieldNumber)) {
    to.mutable_observe_time()->set_seconds(observed_us / 1'000'000);
    to.mutable_observe_time()->set_nanos(static_cast<int32_t>(observed_us % 1'000'000) * 1000);
  }
}

absl::Status FillMachinePage(const MachineIndex& index,
                             const machine::v1::ListMachinesRequest& request,
                             std::optional<std::vector<MachineFilter>> visible,
                             machine::v1::ListMachinesResponse& response) {
  if (request.page_size() < 0 || request.page_size() > kMaxPage) {
    return common::InvalidField("page_size", absl::StrCat("must be 0 to ", kMaxPage));
  }
  const int page_size = request.page_size() == 0 ? kDefaultPage : request.page_size();
  DM_ASSIGN_OR_RETURN(MachineFilter filter, MachineFilter::Parse(request.filter()));
  if (visible.has_value()) filter.RestrictTo(*std::move(visible));
  DM_ASSIGN_OR_RETURN(const FieldSelection fields, FieldSelection::FromMask(request.read_mask()));
  DM_ASSIGN_OR_RETURN(const Order order, ReadOrder(request.order_by()));
  DM_ASSIGN_OR_RETURN(const std::string after, ReadToken(request));

  std::vector<std::pair<std::string, MachinePointer>> machines;
  for (MachinePointer& machine : index.All()) {
    if (!filter.Fits(machine->machine)) continue;
    std::string key = SortKey(*machine, order.by_time);
    if (!after.empty() && (order.descending ? key >= after : key <= after)) continue;
    machines.emplace_back(std::move(key), std::move(machine));
  }
  // The index is in order of names already.
  if (order.by_time || order.descending) {
    std::sort(machines.begin(), machines.end(), [&](const auto& a, const auto& b) {
      return order.descending ? a.first > b.first : a.first < b.first;
    });
  }
  size_t bytes = 0;
  for (const auto& [key, machine] : machines) {
    const int count = response.machines_size();
    if (count == page_size || bytes > kMaxPageBytes) {
      const std::string& last = machines[static_cast<size_t>(count - 1)].first;
      response.set_next_page_token(absl::WebSafeBase64Escape(absl::StrCat(Tag(request), last)));
      break;
    }
    machine::v1::Machine& to = *response.add_machines();
    CopyMachine(*machine, fields, to);
    bytes += to.ByteSizeLong() + 4;
  }
  return absl::OkStatus();
}

}  // namespace machine::orchestrator
