#include "drivers/qemu/qmp.h"

#include <utility>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::qemu {
namespace {

using Json = nlohmann::json;

std::string Text(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// The answer to the request sent last, without what QEMU or the agent tells unasked.
absl::StatusOr<Json> Answer(JsonSocket& socket, absl::string_view command, absl::Time deadline) {
  while (true) {
    DM_ASSIGN_OR_RETURN(Json message, socket.Receive(deadline));
    if (message.contains("return")) return std::move(message["return"]);
    if (!message.contains("error")) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("QEMU refuses ", command, ": ",
                     message["error"].is_object() ? Text(message["error"], "desc") : ""));
  }
}

}  // namespace

absl::StatusOr<Qmp> Qmp::Connect(const std::string& folder, absl::Time deadline) {
  DM_ASSIGN_OR_RETURN(JsonSocket socket, JsonSocket::Connect(folder, kQmpSocket, deadline));
  DM_RETURN_IF_ERROR(socket.Receive(deadline).status());  // The greeting.
  Qmp qmp(std::move(socket));
  DM_RETURN_IF_ERROR(qmp.Execute("qmp_capabilities", deadline).status());
  return qmp;
}

absl::StatusOr<Json> Qmp::Execute(absl::string_view command, absl::Time deadline) {
  DM_RETURN_IF_ERROR(socket_.Send({{"execute", std::string(command)}}, deadline));
  return Answer(socket_, command, deadline);
}

absl::StatusOr<std::vector<std::string>> GuestAddresses(const std::string& folder,
                                                        absl::string_view mac,
                                                        absl::Time deadline) {
  DM_ASSIGN_OR_RETURN(JsonSocket socket, JsonSocket::Connect(folder, kAgentSocket, deadline));
  // The channel may still hold answers that an earlier connection did not wait for.
  const int64_t mark = absl::Uniform<int64_t>(absl::BitGen(), 1, int64_t{1} << 31);
  DM_RETURN_IF_ERROR(
      socket.Send({{"execute", "guest-sync"}, {"arguments", {{"id", mark}}}}, deadline));
  while (true) {
    DM_ASSIGN_OR_RETURN(const Json answer, Answer(socket, "guest-sync", deadline));
    if (answer == mark) break;
  }
  DM_RETURN_IF_ERROR(socket.Send({{"execute", "guest-network-get-interfaces"}}, deadline));
  DM_ASSIGN_OR_RETURN(const Json interfaces,
                      Answer(socket, "guest-network-get-interfaces", deadline));
  std::vector<std::string> addresses;
  if (!interfaces.is_array()) return addresses;
  for (const Json& interface : interfaces) {
    if (!interface.is_object() ||
        absl::AsciiStrToLower(Text(interface, "hardware-address")) != mac) {
      continue;
    }
    const auto list = interface.find("ip-addresses");
    if (list == interface.end() || !list->is_array()) continue;
    for (const Json& entry : *list) {
      if (entry.is_object() && Text(entry, "ip-address-type") == "ipv4") {
        addresses.push_back(Text(entry, "ip-address"));
      }
    }
  }
  return addresses;
}

}  // namespace machine::driver::qemu
