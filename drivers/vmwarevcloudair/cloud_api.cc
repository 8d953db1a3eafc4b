#include "drivers/vmwarevcloudair/cloud_api.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/json_api.h"
#include "drivers/vmwarevcloudair/vcd_errors.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

constexpr absl::string_view kRoot = "/cloudapi/";
constexpr absl::string_view kVersion = "1.0.0/";
constexpr int kPageSize = 128;
constexpr int kMaxPages = 200;

std::string UrlOf(absl::string_view path) { return absl::StrCat(kRoot, kVersion, path); }

// The next page, as a header such as
//   Link: <https://host/cloudapi/1.0.0/…?cursor=…>;rel="nextPage";type="application/json"
// names it, at this endpoint, whatever the server calls its own; empty for none.
std::string NextPage(const common::HttpHeaders& headers) {
  for (absl::string_view text : headers.GetAll("Link")) {
    for (size_t open = text.find('<'); open != absl::string_view::npos; open = text.find('<')) {
      const size_t close = text.find('>', open);
      if (close == absl::string_view::npos) break;
      const absl::string_view url = text.substr(open + 1, close - open - 1);
      text.remove_prefix(close);
      const size_t root = url.find(kRoot);
      if (root != absl::string_view::npos &&
          absl::StrContains(text.substr(0, text.find('<')), "nextPage")) {
        return std::string(url.substr(root));
      }
    }
  }
  return "";
}

absl::Status ErrorIn(const common::HttpResponse& response, const Json& body) {
  const std::string words = Text(body, "message");
  const std::string message =
      absl::StrCat("Cloud Director: ", words.empty() ? "refused" : Printable(words));
  // What is gone is forbidden, and a gateway that works on something is in conflict.
  if (response.status == 403) return absl::NotFoundError(message);
  if (response.status == 409) return ErrorOfCode("BUSY_ENTITY", words, absl::OkStatus());
  return ErrorOfCode(Text(body, "minorErrorCode"), words,
                     common::ErrorOf(response, message, absl::Now()));
}

}  // namespace

struct CloudApi::Answer {
  int status = 0;
  common::HttpHeaders headers;
  /// Null where there is none.
  Json body;
};

absl::StatusOr<CloudApi::Answer> CloudApi::Send(const common::CallScope& call,
                                                absl::string_view method, absl::string_view url,
                                                const Json& body) {
  VcdRequest request = {
      .method = std::string(method), .url = std::string(url), .accept = "application/json"};
  if (!body.is_null()) {
    request.content_type = "application/json";
    request.body = DumpJson(body);
  }
  DM_ASSIGN_OR_RETURN(common::HttpResponse response, api_.session().Send(call, request));
  Json answer = response.body.empty() ? Json() : ParseJson(response.body);
  if (response.status >= 400) return ErrorIn(response, answer);
  if (answer.is_discarded()) return DirectorIsDown("answered with something that cannot be read");
  return Answer{response.status, std::move(response.headers), std::move(answer)};
}

absl::StatusOr<CloudApi::Answer> CloudApi::Read(const common::CallScope& call,
                                                absl::string_view url) {
  return api_.session().Repeat<Answer>(call, [&]() -> absl::StatusOr<Answer> {
    DM_ASSIGN_OR_RETURN(Answer answer, Send(call, "GET", url, nullptr));
    if (!answer.body.is_object()) return DirectorIsDown("answered with no object");
    return answer;
  });
}

absl::StatusOr<Json> CloudApi::Get(const common::CallScope& call, absl::string_view path) {
  DM_ASSIGN_OR_RETURN(Answer answer, Read(call, UrlOf(path)));
  return std::move(answer.body);
}

absl::StatusOr<std::vector<Json>> CloudApi::List(const common::CallScope& call,
                                                 absl::string_view path, absl::string_view filter) {
  const std::string first =
      absl::StrCat(UrlOf(path), "?pageSize=", kPageSize,
                   filter.empty() ? "" : absl::StrCat("&filter=", PercentEncode(filter)));
  std::vector<Json> all;
  std::string url = first;
  for (int page = 2; page <= kMaxPages; ++page) {
    DM_ASSIGN_OR_RETURN(const Answer answer, Read(call, url));
    const Json& values = Elements(answer.body, "values");
    all.insert(all.end(), values.begin(), values.end());
    // Some lists go on by a cursor that the link has; of others it may be missing.
    url = NextPage(answer.headers);
    if (!url.empty()) continue;
    if (values.empty() || static_cast<int64_t>(all.size()) >= Number(answer.body, "resultTotal")) {
      break;
    }
    url = absl::StrCat(first, "&page=", page);
  }
  return all;
}

absl::Status CloudApi::Run(const common::CallScope& call, absl::string_view method,
                           absl::string_view path, const Json& body) {
  DM_RETURN_IF_ERROR(call.Check());
  DM_ASSIGN_OR_RETURN(const Answer answer, Send(call, method, UrlOf(path), body));
  if (answer.status != 202) return absl::OkStatus();
  const std::string task(answer.headers.Get("Location").value_or(""));
  if (task.empty()) return DirectorIsDown("began a task and did not say which");
  return api_.AwaitTask(call, task);
}

}  // namespace machine::driver::vmwarevcloudair
