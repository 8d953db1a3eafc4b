#include "drivers/vmwarevcloudair/vcd_api.h"

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/json_api.h"
#include "drivers/vmwarevcloudair/vcd_errors.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

constexpr int kPageSize = 128;
constexpr int kMaxPages = 200;

// `error` is the element Error of an answer or a task.
absl::Status ErrorIn(const XmlElement& error, absl::Status otherwise) {
  return ErrorOfCode(error.Attribute("minorErrorCode"), error.Attribute("message"),
                     std::move(otherwise));
}

// The task in an answer: the answer itself, or the first of its tasks that is not done.
const XmlElement* TaskOf(const XmlElement& answer) {
  if (answer.name() == "Task") return &answer;
  for (const XmlElement& task : answer.Child("Tasks").children()) {
    if (task.Attribute("status") != "success") return &task;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<XmlElement> VcdApi::SendOnce(const common::CallScope& call, absl::string_view method,
                                            absl::string_view url, const VcdBody& body) {
  VcdRequest request = {
      .method = std::string(method), .url = std::string(url), .accept = "application/*+xml"};
  if (!body.xml.empty()) {
    request.content_type = absl::StrCat("application/vnd.vmware.", body.type, "+xml");
    request.body = absl::StrCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", body.xml);
  }
  DM_ASSIGN_OR_RETURN(const common::HttpResponse response, session_.Send(call, request));
  const std::optional<XmlElement> answer = ParseXml(response.body);
  if (response.status >= 400) {
    const std::string words =
        answer.has_value() ? Printable(answer->Attribute("message")) : "refused";
    const absl::Status error =
        common::ErrorOf(response, absl::StrCat("Cloud Director: ", words), absl::Now());
    return answer.has_value() ? ErrorIn(*answer, error) : error;
  }
  if (answer.has_value()) return *answer;
  if (response.body.empty()) return XmlElement();
  return DirectorIsDown("answered with something that cannot be read");
}

absl::StatusOr<XmlElement> VcdApi::Get(const common::CallScope& call, absl::string_view url) {
  return session_.Repeat<XmlElement>(call, [&] { return SendOnce(call, "GET", url, {}); });
}

absl::StatusOr<XmlElement> VcdApi::Send(const common::CallScope& call, absl::string_view method,
                                        absl::string_view url, const VcdBody& body) {
  DM_RETURN_IF_ERROR(call.Check());
  return SendOnce(call, method, url, body);
}

absl::Status VcdApi::AwaitTasks(const common::CallScope& call, const XmlElement& object) {
  const XmlElement* const first = TaskOf(object);
  return first == nullptr ? absl::OkStatus() : AwaitTask(call, first->Attribute("href"));
}

absl::Status VcdApi::AwaitTask(const common::CallScope& call, const std::string& url) {
  const auto look = [&]() -> absl::StatusOr<std::optional<XmlElement>> {
    DM_ASSIGN_OR_RETURN(XmlElement task, Get(call, url));
    const std::string& status = task.Attribute("status");
    const bool ended =
        status == "success" || status == "error" || status == "aborted" || status == "canceled";
    if (!ended) return std::nullopt;
    return task;
  };
  DM_ASSIGN_OR_RETURN(const XmlElement task, Await<XmlElement>(call, session_.backoff(), look));
  if (task.Attribute("status") == "success") return absl::OkStatus();
  const XmlElement& error = task.Child("Error");
  return ErrorIn(
      error, common::Error(absl::StatusCode::kFailedPrecondition,
                           machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                           absl::StrCat("Cloud Director: ", Printable(task.Attribute("operation")),
                                        ": ", Printable(error.Attribute("message")))));
}

absl::Status VcdApi::Run(const common::CallScope& call, absl::string_view method,
                         absl::string_view url, const VcdBody& body) {
  DM_ASSIGN_OR_RETURN(const XmlElement answer, Send(call, method, url, body));
  return AwaitTasks(call, answer);
}

absl::StatusOr<std::vector<XmlElement>> VcdApi::Query(const common::CallScope& call,
                                                      absl::string_view type,
                                                      absl::string_view filter) {
  std::vector<XmlElement> records;
  for (int page = 1; page <= kMaxPages; ++page) {
    const std::string condition =
        filter.empty() ? "" : absl::StrCat("&filter=", PercentEncode(filter));
    DM_ASSIGN_OR_RETURN(
        const XmlElement answer,
        Get(call, absl::StrCat("/api/query?type=", type, "&format=records&pageSize=", kPageSize,
                               "&page=", page, condition)));
    size_t total = 0;
    if (!absl::SimpleAtoi(answer.Attribute("total"), &total)) {
      return DirectorIsDown("answered a query without a total");
    }
    size_t on_page = 0;
    for (const XmlElement& record : answer.children()) {
      if (!absl::EndsWith(record.name(), "Record")) continue;
      records.push_back(record);
      ++on_page;
    }
    if (records.size() >= total || on_page == 0) break;
  }
  return records;
}

}  // namespace machine::driver::vmwarevcloudair
