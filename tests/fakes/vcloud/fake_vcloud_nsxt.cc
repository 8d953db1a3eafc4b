// The OpenAPI of FakeVcloud.
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/fakes/vcloud/fake_vcloud.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;
using Kind = NsxtEdge::Kind;

constexpr char kRoot[] = "/cloudapi/1.0.0";

Response JsonAnswer(const Json& body, int status = 200) {
  return {.status = status, .body = body.dump()};
}

// Conditions "name==value", all of which must hold.
bool FitsFilter(const Json& object, const std::string& filter) {
  if (filter.empty()) return true;
  for (const absl::string_view condition : absl::StrSplit(filter, ';')) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(condition, "==");
    if (object.value(parts.first, "") != parts.second) return false;
  }
  return true;
}

std::vector<Json> Filtered(const std::vector<Json>& all, const Request& request) {
  std::vector<Json> fitting;
  for (const Json& each : all) {
    if (FitsFilter(each, request.Query("filter"))) fitting.push_back(each);
  }
  return fitting;
}

// Page `page` of `all`, from 1.
Json PageOf(const std::vector<Json>& all, int page, int size) {
  Json values = Json::array();
  const int end = std::min(static_cast<int>(all.size()), page * size);
  for (int i = (page - 1) * size; i < end; ++i) values.push_back(all[i]);
  return values;
}

int NumberIn(const Request& request, const std::string& name, int otherwise) {
  int number = otherwise;
  if (!request.Query(name).empty() && !absl::SimpleAtoi(request.Query(name), &number)) number = 0;
  return number;
}

// A list with numbers of pages, and no links.
Response NumberedPage(const std::vector<Json>& all, const Request& request) {
  const std::vector<Json> fitting = Filtered(all, request);
  const int page = NumberIn(request, "page", 1);
  const int size = NumberIn(request, "pageSize", 25);
  return JsonAnswer({{"resultTotal", fitting.size()},
                     {"page", page},
                     {"pageSize", size},
                     {"values", PageOf(fitting, page, size)}});
}

// A list with links, and no numbers. The server calls itself by another name there.
Response LinkedPage(const std::vector<Json>& all, const Request& request) {
  const int page = NumberIn(request, "cursor", 1);
  const int size = NumberIn(request, "pageSize", 25);
  Response response = JsonAnswer({{"values", PageOf(all, page, size)}});
  const std::string url =
      absl::StrCat("<https://vcd.example.com", request.path, "?pageSize=", size);
  std::string link = absl::StrCat(url, ">;rel=\"firstPage\";type=\"application/json\"");
  if (page * size < static_cast<int>(all.size())) {
    absl::StrAppend(&link, ", ", url, "&cursor=", page + 1,
                    ">;rel=\"lastPage nextPage\";type=\"application/json\";model=\"EdgeNatRules\"");
  }
  response.headers["Link"] = link;
  return response;
}

}  // namespace

Response FakeVcloud::RefuseJson(int status, absl::string_view code, absl::string_view message) {
  return JsonAnswer({{"minorErrorCode", code}, {"message", message}, {"stackTrace", nullptr}},
                    status);
}

void FakeVcloud::AddNsxtReads() {
  const auto read = [this](absl::string_view path,
                           const std::function<Response(const Request&)>& answer) {
    Route("GET", absl::StrCat(kRoot, path),
          Guarded(
              [this, answer](const Request& request) {
                absl::MutexLock lock(&mu_);
                return answer(request);
              },
              false));
  };
  const auto type = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return gateway_ == Gateway::kNsxT ? "NSXT_BACKED" : "NSXV_BACKED";
  };
  // Of a gateway that is not backed so, and of one that is not there.
  const auto of_gateway = [this](const std::function<Response(const Request&)>& answer) {
    return [this, answer](const Request& request) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      if (request.captures[0] != NsxtEdge::kId || gateway_ != Gateway::kNsxT) {
        return RefuseJson(403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN", "no access to entity");
      }
      return answer(request);
    };
  };
  read("/edgeGateways", [this, type](const Request& request) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return NumberedPage({edge_.Shown(type())}, request);
  });
  read("/edgeGateways/{id}",
       of_gateway([this, type](const Request&)
                      ABSL_NO_THREAD_SAFETY_ANALYSIS { return JsonAnswer(edge_.Shown(type())); }));
  read("/edgeGateways/{id}/nat/rules",
       of_gateway([this](const Request& request) ABSL_NO_THREAD_SAFETY_ANALYSIS {
         return LinkedPage(edge_.All(Kind::kNatRule), request);
       }));
  read("/edgeGateways/{id}/firewall/rules",
       of_gateway([this](const Request&)
                      ABSL_NO_THREAD_SAFETY_ANALYSIS { return JsonAnswer(edge_.Firewall()); }));
  read("/firewallGroups/summaries", [this](const Request& request) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    std::vector<Json> summaries = edge_.All(Kind::kIpSet);
    for (Json& each : summaries) each.erase("ipAddresses");
    return NumberedPage(summaries, request);
  });
  read("/firewallGroups/{id}", [this](const Request& request) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const Json set = edge_.Get(Kind::kIpSet, request.captures[0]);
    return set.is_null() ? RefuseJson(403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN", "no access to entity")
                         : JsonAnswer(set);
  });
  read("/applicationPortProfiles", [this](const Request& request) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return NumberedPage(edge_.All(Kind::kPortProfile), request);
  });
}

void FakeVcloud::AddNsxtEffects() {
  using Change = std::function<absl::StatusOr<NsxtEdge::Effect>(const Request&, const Json&)>;
  const auto change = [this](absl::string_view method, absl::string_view path,
                             const Change& change) {
    Route(method, absl::StrCat(kRoot, path),
          Guarded([this, change](const Request& request) { return ChangeEdge(request, change); },
                  true));
  };
  change("POST", "/edgeGateways/{id}/nat/rules",
         [this](const Request&, const Json& body) { return edge_.Add(Kind::kNatRule, body); });
  change("DELETE", "/edgeGateways/{id}/nat/rules/{rule}",
         [this](const Request& request, const Json&) {
           return edge_.Delete(Kind::kNatRule, request.captures[1]);
         });
  change("PUT", "/edgeGateways/{id}/firewall/rules",
         [this](const Request&, const Json& body) { return edge_.PutFirewall(body); });
  change("DELETE", "/edgeGateways/{id}/firewall/rules/{rule}",
         [this](const Request& request, const Json&) {
           return edge_.DeleteFirewallRule(request.captures[1]);
         });
  change("POST", "/firewallGroups",
         [this](const Request&, const Json& body) { return edge_.Add(Kind::kIpSet, body); });
  change("PUT", "/firewallGroups/{id}", [this](const Request& request, const Json& body) {
    return edge_.Replace(Kind::kIpSet, request.captures[0], body);
  });
  change("DELETE", "/firewallGroups/{id}", [this](const Request& request, const Json&) {
    return edge_.Delete(Kind::kIpSet, request.captures[0]);
  });
  change("POST", "/applicationPortProfiles",
         [this](const Request&, const Json& body) { return edge_.Add(Kind::kPortProfile, body); });
  change("DELETE", "/applicationPortProfiles/{id}", [this](const Request& request, const Json&) {
    return edge_.Delete(Kind::kPortProfile, request.captures[0]);
  });
}

Response FakeVcloud::ChangeEdge(
    const Request& request,
    const std::function<absl::StatusOr<NsxtEdge::Effect>(const Request&, const Json&)>& change) {
  absl::MutexLock lock(&mu_);
  for (auto& [id, task] : tasks_) {
    if (task.looks == 0 || task.action != "edge") continue;
    // Time goes on, though nobody may be looking at the task.
    if (--task.looks == 0) Finish(task);
    return RefuseJson(400, "BUSY_ENTITY", "The entity gateway is busy completing an operation.");
  }
  const Json body = request.body.empty() ? Json() : Json::parse(request.body, nullptr, false);
  const absl::StatusOr<NsxtEdge::Effect> effect = change(request, body);
  if (absl::IsNotFound(effect.status())) {
    return RefuseJson(403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN", effect.status().message());
  }
  if (!effect.ok()) return RefuseJson(400, "BAD_REQUEST", effect.status().message());
  Response response = {.status = 202};
  response.headers["Location"] = Href(absl::StrCat("/api/task/", StartTask("edge", 0, *effect)));
  return response;
}

void FakeVcloud::JoinVdcGroup() {
  absl::MutexLock lock(&mu_);
  edge_.JoinVdcGroup();
}

void FakeVcloud::AddToEdge(int count) {
  absl::MutexLock lock(&mu_);
  for (int i = 0; i < count; ++i) {
    const std::string name = absl::StrCat("theirs ", i);
    edge_.Put(Kind::kNatRule, {{"name", name},
                               {"enabled", true},
                               {"type", "SNAT"},
                               {"externalAddresses", "203.0.113.1"},
                               {"internalAddresses", "192.168.0.0/16"}});
    edge_.Put(Kind::kPortProfile, {{"name", name}, {"scope", "TENANT"}});
    edge_.Put(Kind::kIpSet, {{"name", name}, {"typeValue", "IP_SET"}});
  }
}

std::vector<std::string> FakeVcloud::EdgeNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const Kind kind : {Kind::kNatRule, Kind::kIpSet, Kind::kPortProfile}) {
    for (const Json& each : edge_.All(kind)) names.push_back(each.value("name", ""));
  }
  const Json firewall = edge_.Firewall();
  for (const Json& rule : firewall["userDefinedRules"]) names.push_back(rule.value("name", ""));
  return names;
}

Json FakeVcloud::EdgeRule(absl::string_view name) const {
  absl::MutexLock lock(&mu_);
  for (const Json& rule : edge_.All(Kind::kNatRule)) {
    if (rule.value("name", "") == name) return rule;
  }
  const Json firewall = edge_.Firewall();
  for (const Json& rule : firewall["userDefinedRules"]) {
    if (rule.value("name", "") == name) return rule;
  }
  for (const Json& set : edge_.All(Kind::kIpSet)) {
    if (set.value("name", "") == name) return set;
  }
  return nullptr;
}

}  // namespace machine::fakes
