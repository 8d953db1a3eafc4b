#include "drivers/vmwarevsphere/content_library.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {
namespace {

constexpr int kMaxAttempts = 5;
constexpr size_t kMaxListed = 50;
// Its disks are copied before the answer comes.
constexpr absl::Duration kLongestDeploy = absl::Minutes(30);
constexpr absl::string_view kRest = "/rest";
constexpr absl::string_view kSessionPath = "/com/vmware/cis/session";
constexpr absl::string_view kLibraryPath = "/com/vmware/content/library";
constexpr absl::string_view kItemPath = "/com/vmware/content/library/item";
constexpr absl::string_view kDeployPath = "/com/vmware/vcenter/ovf/library-item";
constexpr absl::string_view kTemplatePath = "/vcenter/vm-template/library-items";

// The words of an error, wherever in it they are.
std::string WordsOf(const Json& json) {
  if (json.is_object()) {
    if (const std::string text = Text(json, "default_message"); !text.empty()) return text;
  }
  if (!json.is_object() && !json.is_array()) return "";
  for (const Json& each : json) {
    if (const std::string text = WordsOf(each); !text.empty()) return text;
  }
  return "";
}

Json FirstId(const Json& answer) {
  const Json& ids = Member(answer, "value");
  return ids.is_array() && !ids.empty() ? ids.front() : Json();
}

bool SaysTaken(absl::string_view words) {
  return absl::StrContains(absl::AsciiStrToLower(words), "already exists");
}

}  // namespace

ContentLibrary::ContentLibrary(const common::CallScope& call, VimClient& client, Backoff backoff)
    : call_(call), client_(client), backoff_(backoff) {}

ContentLibrary::~ContentLibrary() {
  if (!session_.empty()) Send("DELETE", kSessionPath, nullptr, true).status().IgnoreError();
}

absl::StatusOr<Json> ContentLibrary::Send(absl::string_view method, absl::string_view path,
                                          const Json& body, bool with_effect) {
  for (int attempt = 1;; ++attempt) {
    common::HttpRequest request =
        client_.Request(call_, method, client_.Url(absl::StrCat(kRest, path)));
    if (with_effect) {
      request.deadline = std::min(call_.deadline(), absl::Now() + kLongestDeploy);
    }
    if (session_.empty()) {
      const Credentials& user = client_.credentials();
      std::string basic;
      absl::Base64Escape(absl::StrCat(user.username, ":", user.password), &basic);
      request.headers.Add("Authorization", absl::StrCat("Basic ", basic));
    } else {
      request.headers.Add("vmware-api-session-id", session_);
    }
    if (!body.is_null()) {
      request.headers.Add("Content-Type", "application/json");
      request.body = DumpJson(body);
    }
    const absl::StatusOr<common::HttpResponse> response = client_.http().Send(std::move(request));
    absl::Status status = response.status();
    if (response.ok()) {
      Json answer = response->body.empty() ? Json::object() : ParseJson(response->body);
      const std::string words = WordsOf(answer);
      status = common::ErrorOf(*response, absl::StrCat("vSphere: ", words.empty() ? path : words),
                               absl::Now());
      if (status.ok() && !answer.is_discarded()) return answer;
      if (status.ok()) status = absl::UnavailableError("vSphere: an answer that is no JSON");
    }
    if (!IsTransient(status) || with_effect || attempt == kMaxAttempts) return status;
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call_, backoff_, attempt, status));
  }
}

absl::Status ContentLibrary::LogIn() {
  if (!session_.empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const Json answer, Send("POST", kSessionPath, nullptr));
  session_ = Text(answer, "value");
  return session_.empty() ? absl::UnavailableError("vSphere: no session of its REST services")
                          : absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ContentLibrary::NamesOf(absl::string_view path,
                                                                 const Json& ids) {
  std::vector<std::string> names;
  for (const Json& id : ids) {
    if (!id.is_string() || names.size() >= kMaxListed) continue;
    DM_ASSIGN_OR_RETURN(
        const Json answer,
        Send("GET", absl::StrCat(path, "/id:", PercentEncode(id.get<std::string>())), nullptr));
    names.push_back(Text(Member(answer, "value"), "name"));
  }
  return names;
}

absl::StatusOr<LibraryItem> ContentLibrary::FindItem(absl::string_view name) {
  DM_RETURN_IF_ERROR(LogIn());
  const absl::string_view library = name.substr(0, name.find('/'));
  const absl::string_view item = name.substr(name.find('/') + 1);
  DM_ASSIGN_OR_RETURN(const Json libraries,
                      Send("POST", absl::StrCat(kLibraryPath, "?~action=find"),
                           {{"spec", {{"name", std::string(library)}}}}));
  const Json library_id = FirstId(libraries);
  if (!library_id.is_string()) {
    DM_ASSIGN_OR_RETURN(const Json all, Send("GET", kLibraryPath, nullptr));
    DM_ASSIGN_OR_RETURN(std::vector<std::string> names,
                        NamesOf(kLibraryPath, Elements(all, "value")));
    return NoSuchChoice(kLibraryFlag, "content library", library, std::move(names));
  }
  DM_ASSIGN_OR_RETURN(const Json items,
                      Send("POST", absl::StrCat(kItemPath, "?~action=find"),
                           {{"spec", {{"name", std::string(item)}, {"library_id", library_id}}}}));
  const Json item_id = FirstId(items);
  if (item_id.is_string()) {
    LibraryItem found = {.id = item_id.get<std::string>()};
    DM_ASSIGN_OR_RETURN(
        const Json answer,
        Send("GET", absl::StrCat(kItemPath, "/id:", PercentEncode(found.id)), nullptr));
    const std::string type = Text(Member(answer, "value"), "type");
    found.vm_template = type == "vm-template";
    if (found.vm_template || type == "ovf") return found;
    return PreCreateCheckFailed(absl::StrCat("--", kLibraryFlag, ": ", name, " is of type \"", type,
                                             "\"; a machine is made of an ovf or a vm-template"));
  }
  DM_ASSIGN_OR_RETURN(
      const Json all,
      Send("GET",
           absl::StrCat(kItemPath, "?library_id=", PercentEncode(library_id.get<std::string>())),
           nullptr));
  DM_ASSIGN_OR_RETURN(std::vector<std::string> names, NamesOf(kItemPath, Elements(all, "value")));
  return NoSuchChoice(kLibraryFlag, absl::StrCat("item in library ", library), item,
                      std::move(names));
}

absl::StatusOr<Ref> ContentLibrary::Deploy(const LibraryItem& item, absl::string_view name,
                                           const Place& place) {
  DM_RETURN_IF_ERROR(LogIn());
  DM_RETURN_IF_ERROR(call_.Check());
  return item.vm_template ? DeployTemplate(item.id, name, place) : DeployOvf(item.id, name, place);
}

absl::StatusOr<Ref> ContentLibrary::DeployTemplate(const std::string& id, absl::string_view name,
                                                   const Place& place) {
  Json placement = {{"folder", place.folder.ref.id}, {"resource_pool", place.pool.ref.id}};
  if (place.host.has_value()) placement["host"] = place.host->ref.id;
  const Json storage = {{"datastore", place.datastore.ref.id}};
  const Json spec = {{"name", std::string(name)}, {"description", std::string(name)},
                     {"placement", placement},    {"vm_home_storage", storage},
                     {"disk_storage", storage},   {"powered_on", false}};
  const absl::StatusOr<Json> answer =
      Send("POST", absl::StrCat(kTemplatePath, "/", PercentEncode(id), "?action=deploy"),
           {{"spec", spec}}, /*with_effect=*/true);
  if (!answer.ok() && SaysTaken(answer.status().message())) {
    return ErrorOfFault("DuplicateName", answer.status().message());
  }
  if (!answer.ok()) return answer.status();
  const std::string made = Text(*answer, "value");
  if (!made.empty()) return Ref{"VirtualMachine", made};
  return absl::UnavailableError("vSphere: the answer has no id of the new virtual machine");
}

absl::StatusOr<Ref> ContentLibrary::DeployOvf(const std::string& id, absl::string_view name,
                                              const Place& place) {
  Json target = {{"resource_pool_id", place.pool.ref.id}, {"folder_id", place.folder.ref.id}};
  if (place.host.has_value()) target["host_id"] = place.host->ref.id;
  const Json spec = {{"name", std::string(name)},
                     {"annotation", std::string(name)},
                     {"accept_all_EULA", true},
                     {"default_datastore_id", place.datastore.ref.id},
                     {"storage_provisioning", "thin"}};
  DM_ASSIGN_OR_RETURN(
      const Json answer,
      Send("POST", absl::StrCat(kDeployPath, "/id:", PercentEncode(id), "?~action=deploy"),
           {{"target", target}, {"deployment_spec", spec}}, /*with_effect=*/true));
  const Json& value = Member(answer, "value");
  if (Flag(value, "succeeded")) {
    const Json& made = Member(value, "resource_id");
    return Ref{Text(made, "type"), Text(made, "id")};
  }
  const std::string words = WordsOf(Member(value, "error"));
  return ErrorOfFault(SaysTaken(words) ? "DuplicateName" : "",
                      words.empty() ? "the OVF could not be deployed" : words);
}

}  // namespace machine::driver::vmwarevsphere
