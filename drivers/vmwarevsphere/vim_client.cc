#include "drivers/vmwarevsphere/vim_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "drivers/vmwarevsphere/server_certificate.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {
namespace {

using machine::v1::ErrorReason;

constexpr char kFaultKey[] = "vsphere_fault";
constexpr int kMaxAttempts = 5;
constexpr size_t kMaxQuotedBytes = 500;
// Answers that take longer are given up: all that is slow is a task, or says how long it waits.
constexpr absl::Duration kTimeout = absl::Minutes(1);
constexpr absl::Duration kLongestWait = absl::Seconds(20);
constexpr absl::Duration kGoodbye = absl::Seconds(2);
// Of an inventory of 10,000 machines, with what is asked of each.
constexpr int64_t kMaxAnswerBytes = int64_t{64} << 20;
// The oldest version whose types are used; later servers understand it.
constexpr absl::string_view kVersion = "urn:vim25/6.7";

struct FaultRule {
  absl::string_view type;
  absl::StatusCode code;
  ErrorReason reason;
};

// https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/ (faults)
constexpr FaultRule kFaults[] = {
    {"InvalidLogin", absl::StatusCode::kUnauthenticated,
     machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
    {"NotAuthenticated", absl::StatusCode::kUnauthenticated,
     machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
    {"NoPermission", absl::StatusCode::kPermissionDenied,
     machine::v1::ERROR_REASON_PROVIDER_POLICY},
    {"ManagedObjectNotFound", absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"FileNotFound", absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"NotFound", absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"DuplicateName", absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"AlreadyExists", absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"FileAlreadyExists", absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"TaskInProgress", absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN},
    {"HostCommunication", absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN},
    {"HostNotConnected", absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN},
    {"HostNotReachable", absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN},
    {"ConcurrentAccess", absl::StatusCode::kAborted, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"InvalidPowerState", absl::StatusCode::kAborted, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"InvalidState", absl::StatusCode::kAborted, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"ResourceInUse", absl::StatusCode::kAborted, machine::v1::ERROR_REASON_UNSPECIFIED},
    {"InsufficientResourcesFault", absl::StatusCode::kResourceExhausted,
     machine::v1::ERROR_REASON_PROVIDER_QUOTA},
    {"InsufficientMemoryResourcesFault", absl::StatusCode::kResourceExhausted,
     machine::v1::ERROR_REASON_PROVIDER_QUOTA},
    {"InsufficientCpuResourcesFault", absl::StatusCode::kResourceExhausted,
     machine::v1::ERROR_REASON_PROVIDER_QUOTA},
    {"NoDiskSpace", absl::StatusCode::kResourceExhausted, machine::v1::ERROR_REASON_PROVIDER_QUOTA},
    {"InvalidArgument", absl::StatusCode::kInvalidArgument, machine::v1::ERROR_REASON_UNSPECIFIED},
};

std::string Printable(absl::string_view text) {
  std::string result(text.substr(0, kMaxQuotedBytes));
  for (char& c : result) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  absl::StripAsciiWhitespace(&result);
  return result;
}

absl::Status NoAnswer(absl::string_view method, absl::string_view what) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                       absl::StrCat("vSphere answered ", method, " ", what));
}

// Of "<NotAuthenticatedFault xsi:type="NotAuthenticated">", or where it has only a name.
std::string FaultTypeOf(const XmlElement& fault) {
  const std::string type = fault.XsiType();
  return type.empty() ? std::string(absl::StripSuffix(fault.name(), "Fault")) : type;
}

absl::Status ErrorOfSoap(const XmlElement& fault) {
  const std::vector<XmlElement>& details = fault.Child("detail").children();
  return ErrorOfFault(details.empty() ? "" : FaultTypeOf(details.front()),
                      fault.Text("faultstring"));
}

std::string CookieOf(const common::HttpHeaders& headers) {
  for (const absl::string_view cookie : headers.GetAll("Set-Cookie")) {
    if (!absl::StartsWith(cookie, "vmware_soap_session=")) continue;
    return std::string(cookie.substr(0, cookie.find(';')));
  }
  return "";
}

std::string PathSet(const std::vector<std::string>& paths) {
  std::string all;
  for (const std::string& path : paths) absl::StrAppend(&all, XmlLeaf("pathSet", path));
  return all;
}

std::string PropSet(absl::string_view type, const std::vector<std::string>& paths) {
  return XmlNode("propSet",
                 absl::StrCat(XmlLeaf("type", type), XmlLeaf("all", "false"), PathSet(paths)));
}

std::string ObjectSet(const Ref& object) {
  return XmlNode("objectSet", absl::StrCat(RefXml("obj", object), XmlLeaf("skip", "false")));
}

}  // namespace

Ref RefOf(const XmlElement& element) { return {element.Attribute("type"), element.text()}; }

std::string RefXml(absl::string_view name, const Ref& ref) {
  return XmlLeaf(name, ref.id, {{"type", ref.type}});
}

const XmlElement& Properties::Get(absl::string_view path) const {
  static const XmlElement& none = *new XmlElement;
  for (const auto& [name, value] : values) {
    if (name == path) return value;
  }
  return none;
}

absl::Status ErrorOfFault(absl::string_view type, absl::string_view message) {
  const std::string text = absl::StrCat(
      "vSphere: ", message.empty() ? "refused" : Printable(message),
      type.empty() || absl::StrContains(message, type) ? "" : absl::StrCat(" (", type, ")"));
  const std::string known = Printable(type);
  for (const FaultRule& rule : kFaults) {
    if (rule.type != type) continue;
    return common::Error(rule.code, rule.reason, text, {{kFaultKey, known}});
  }
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_HOST_COMMAND_FAILED, text, {{kFaultKey, known}});
}

std::string FaultOf(const absl::Status& status) {
  return common::ErrorMetadataOf(status, kFaultKey);
}

VimClient::VimClient(common::HttpClient& http, Credentials credentials, Backoff backoff)
    : http_(http),
      credentials_(std::move(credentials)),
      backoff_(backoff),
      ca_pem_(credentials_.ca_pem) {}

VimClient::~VimClient() {
  std::string session;
  Ref manager;
  {
    absl::MutexLock lock(&mu_);
    if (session_.empty() || !service_.has_value()) return;
    session = session_;
    manager = service_->session_manager;
  }
  const common::CallScope goodbye(absl::Now() + kGoodbye, std::make_shared<common::Cancellation>(),
                                  {});
  Send(goodbye, manager, "Logout", "", session, nullptr).status().IgnoreError();
}

std::string VimClient::Url(absl::string_view path) const {
  const bool bare_ipv6 = absl::StrContains(credentials_.host, ':');
  return absl::StrCat(credentials_.plain_http ? "http" : "https", "://", bare_ipv6 ? "[" : "",
                      credentials_.host, bare_ipv6 ? "]" : "", ":", credentials_.port, path);
}

common::HttpRequest VimClient::Request(const common::CallScope& call, absl::string_view method,
                                       const std::string& url) const {
  common::HttpRequest request;
  request.method = std::string(method);
  request.url = url;
  request.deadline = std::min(call.deadline(), absl::Now() + kTimeout);
  request.max_attempts = 1;
  request.max_response_bytes = kMaxAnswerBytes;
  {
    absl::MutexLock lock(&mu_);
    request.tls.ca_pem = ca_pem_;
  }
  request.cancelled = [&call] { return call.cancelled(); };
  return request;
}

absl::StatusOr<XmlElement> VimClient::Send(const common::CallScope& call, const Ref& object,
                                           absl::string_view method, absl::string_view arguments,
                                           const std::string& session, std::string* new_session) {
  common::HttpRequest request = Request(call, "POST", Url("/sdk"));
  request.headers.Add("Content-Type", "text/xml; charset=utf-8");
  request.headers.Add("SOAPAction", absl::StrCat("\"", kVersion, "\""));
  if (!session.empty()) request.headers.Add("Cookie", session);
  request.body = absl::StrCat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
      "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" "
      "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" "
      "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><",
      method, " xmlns=\"urn:vim25\">", RefXml("_this", object), arguments, "</", method,
      "></soapenv:Body></soapenv:Envelope>");
  const absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(request));
  if (absl::IsDeadlineExceeded(response.status()) && call.Check().ok()) {
    // It is the server that is slow; the call goes on.
    return NoAnswer(method, "not in time");
  }
  if (!response.ok()) return response.status();
  const std::optional<XmlElement> envelope = ParseXml(response->body);
  if (!envelope.has_value() || envelope->name() != "Envelope") {
    // The page of a proxy, or of a vCenter that still starts.
    const absl::Status error =
        common::ErrorOf(*response, absl::StrCat("vSphere: ", method), absl::Now());
    return error.ok() ? NoAnswer(method, "with something that cannot be read") : error;
  }
  const XmlElement& body = envelope->Child("Body");
  if (body.Has("Fault")) return ErrorOfSoap(body.Child("Fault"));
  if (new_session != nullptr) *new_session = CookieOf(response->headers);
  return body.Child(absl::StrCat(method, "Response"));
}

absl::StatusOr<Service> VimClient::ServiceContent(const common::CallScope& call) {
  {
    absl::MutexLock lock(&mu_);
    if (service_.has_value()) return *service_;
  }
  if (!credentials_.thumbprint.empty()) {
    DM_ASSIGN_OR_RETURN(
        std::string certificate,
        CertificateByThumbprint(credentials_, std::min(kTimeout, call.Remaining())));
    absl::MutexLock lock(&mu_);
    ca_pem_ = std::move(certificate);
  }
  for (int attempt = 1;; ++attempt) {
    const absl::StatusOr<XmlElement> answer = Send(call, {"ServiceInstance", "ServiceInstance"},
                                                   "RetrieveServiceContent", "", "", nullptr);
    if (!answer.ok()) {
      if (!IsTransient(answer.status()) || attempt == kMaxAttempts) return answer.status();
      DM_RETURN_IF_ERROR(PauseBetweenLooks(call, backoff_, attempt, answer.status()));
      continue;
    }
    const XmlElement& content = answer->Child("returnval");
    const XmlElement& about = content.Child("about");
    Service service;
    service.root_folder = RefOf(content.Child("rootFolder"));
    service.property_collector = RefOf(content.Child("propertyCollector"));
    service.session_manager = RefOf(content.Child("sessionManager"));
    service.view_manager = RefOf(content.Child("viewManager"));
    service.search_index = RefOf(content.Child("searchIndex"));
    service.file_manager = RefOf(content.Child("fileManager"));
    service.guest_operations = RefOf(content.Child("guestOperationsManager"));
    service.storage_resource_manager = RefOf(content.Child("storageResourceManager"));
    service.full_name = Printable(about.Text("fullName"));
    service.is_vcenter = about.Text("apiType") == "VirtualCenter";
    if (service.session_manager.empty() || service.property_collector.empty()) {
      return common::Error(
          absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_UNSPECIFIED,
          absl::StrCat(credentials_.host, " is neither a vCenter nor an ESXi host"));
    }
    absl::MutexLock lock(&mu_);
    service_ = service;
    return service;
  }
}

absl::StatusOr<std::string> VimClient::Session(const common::CallScope& call,
                                               const std::string& stale) {
  DM_ASSIGN_OR_RETURN(const Service service, ServiceContent(call));
  // One at a time: whoever waited uses the session that was opened meanwhile.
  absl::MutexLock login(&login_mu_);
  {
    absl::MutexLock lock(&mu_);
    if (!session_.empty() && session_ != stale) return session_;
  }
  DM_RETURN_IF_ERROR(call.Check());
  std::string session;
  for (int attempt = 1;; ++attempt) {
    const absl::Status status = Send(call, service.session_manager, "Login",
                                     absl::StrCat(XmlLeaf("userName", credentials_.username),
                                                  XmlLeaf("password", credentials_.password)),
                                     "", &session)
                                    .status();
    if (status.ok()) break;
    if (!IsTransient(status) || attempt == kMaxAttempts) return status;
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call, backoff_, attempt, status));
  }
  if (session.empty()) return NoAnswer("Login", "without a session");
  absl::MutexLock lock(&mu_);
  session_ = session;
  return session;
}

absl::StatusOr<XmlElement> VimClient::SendInSession(const common::CallScope& call,
                                                    const Ref& object, absl::string_view method,
                                                    absl::string_view arguments) {
  DM_ASSIGN_OR_RETURN(const std::string session, Session(call, ""));
  absl::StatusOr<XmlElement> answer = Send(call, object, method, arguments, session, nullptr);
  if (FaultOf(answer.status()) != "NotAuthenticated") return answer;
  // It ended, after half an hour without use or by an administrator: nothing was carried out.
  DM_ASSIGN_OR_RETURN(const std::string fresh, Session(call, session));
  return Send(call, object, method, arguments, fresh, nullptr);
}

absl::StatusOr<XmlElement> VimClient::Read(const common::CallScope& call, const Ref& object,
                                           absl::string_view method, absl::string_view arguments) {
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<XmlElement> answer = SendInSession(call, object, method, arguments);
    if (answer.ok() || !IsTransient(answer.status()) || attempt == kMaxAttempts) return answer;
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call, backoff_, attempt, answer.status()));
  }
}

absl::StatusOr<XmlElement> VimClient::Call(const common::CallScope& call, const Ref& object,
                                           absl::string_view method, absl::string_view arguments) {
  DM_RETURN_IF_ERROR(call.Check());
  return SendInSession(call, object, method, arguments);
}

absl::StatusOr<XmlElement> VimClient::RunTask(const common::CallScope& call, const Ref& object,
                                              absl::string_view method,
                                              absl::string_view arguments) {
  DM_ASSIGN_OR_RETURN(const XmlElement answer, Call(call, object, method, arguments));
  const Ref task = RefOf(answer.Child("returnval"));
  if (task.empty()) return NoAnswer(method, "without a task");
  DM_ASSIGN_OR_RETURN(
      std::optional<XmlElement> result,
      AwaitProperties<XmlElement>(
          call, task, {"info.state", "info.error", "info.result"}, absl::InfiniteFuture(),
          [](const Properties& info) -> absl::StatusOr<std::optional<XmlElement>> {
            const std::string& state = info.Text("info.state");
            if (state == "success") return info.Get("info.result");
            if (state != "error") return std::nullopt;
            const XmlElement& error = info.Get("info.error");
            return ErrorOfFault(FaultTypeOf(error.Child("fault")), error.Text("localizedMessage"));
          }));
  return *std::move(result);
}

absl::StatusOr<std::vector<Properties>> VimClient::RetrieveSpec(const common::CallScope& call,
                                                                absl::string_view spec) {
  DM_ASSIGN_OR_RETURN(const Service service, ServiceContent(call));
  std::vector<Properties> all;
  std::string method = "RetrievePropertiesEx";
  std::string arguments = absl::StrCat(XmlNode("specSet", spec), XmlNode("options", ""));
  while (true) {
    DM_ASSIGN_OR_RETURN(const XmlElement answer,
                        Read(call, service.property_collector, method, arguments));
    const XmlElement& page = answer.Child("returnval");
    for (const XmlElement* const object : page.Children("objects")) {
      Properties& properties = all.emplace_back();
      properties.ref = RefOf(object->Child("obj"));
      for (const XmlElement* const property : object->Children("propSet")) {
        properties.values.emplace_back(property->Text("name"), property->Child("val"));
      }
    }
    if (page.Text("token").empty()) return all;
    method = "ContinueRetrievePropertiesEx";
    arguments = XmlLeaf("token", page.Text("token"));
  }
}

absl::StatusOr<std::vector<Properties>> VimClient::Retrieve(const common::CallScope& call,
                                                            absl::string_view type,
                                                            const std::vector<Ref>& objects,
                                                            const std::vector<std::string>& paths) {
  if (objects.empty()) return std::vector<Properties>();
  std::string spec = PropSet(type, paths);
  for (const Ref& object : objects) absl::StrAppend(&spec, ObjectSet(object));
  absl::StatusOr<std::vector<Properties>> found = RetrieveSpec(call, spec);
  if (!absl::IsNotFound(found.status())) return found;
  // One that is gone spoils the call for all: by halves, those are found in a few more.
  if (objects.size() == 1) return std::vector<Properties>();
  const auto middle = objects.begin() + static_cast<std::ptrdiff_t>(objects.size() / 2);
  DM_ASSIGN_OR_RETURN(std::vector<Properties> all,
                      Retrieve(call, type, {objects.begin(), middle}, paths));
  DM_ASSIGN_OR_RETURN(std::vector<Properties> rest,
                      Retrieve(call, type, {middle, objects.end()}, paths));
  std::move(rest.begin(), rest.end(), std::back_inserter(all));
  return all;
}

absl::StatusOr<Properties> VimClient::RetrieveOne(const common::CallScope& call, const Ref& object,
                                                  const std::vector<std::string>& paths) {
  DM_ASSIGN_OR_RETURN(std::vector<Properties> found, Retrieve(call, object.type, {object}, paths));
  if (!found.empty()) return std::move(found.front());
  return ErrorOfFault("ManagedObjectNotFound",
                      absl::StrCat(object.type, " ", object.id, " is gone"));
}

absl::StatusOr<std::vector<Properties>> VimClient::RetrieveBelow(
    const common::CallScope& call, const Ref& container, const std::vector<TypePaths>& types) {
  DM_ASSIGN_OR_RETURN(const Service service, ServiceContent(call));
  std::string arguments = RefXml("container", container);
  std::string spec;
  for (const TypePaths& type : types) {
    absl::StrAppend(&arguments, XmlLeaf("type", type.type));
    absl::StrAppend(&spec, PropSet(type.type, type.paths));
  }
  absl::StrAppend(&arguments, XmlLeaf("recursive", "true"));
  DM_ASSIGN_OR_RETURN(const XmlElement answer,
                      Read(call, service.view_manager, "CreateContainerView", arguments));
  const Ref view = RefOf(answer.Child("returnval"));
  absl::StrAppend(
      &spec,
      XmlNode("objectSet",
              absl::StrCat(
                  RefXml("obj", view), XmlLeaf("skip", "true"),
                  XmlNode("selectSet",
                          absl::StrCat(XmlLeaf("name", "view"), XmlLeaf("type", "ContainerView"),
                                       XmlLeaf("path", "view"), XmlLeaf("skip", "false")),
                          {{"xsi:type", "TraversalSpec"}}))));
  absl::StatusOr<std::vector<Properties>> found = RetrieveSpec(call, spec);
  // Else it stays until the session ends.
  Read(call, view, "DestroyView", "").status().IgnoreError();
  return found;
}

absl::Status VimClient::LogIn(const common::CallScope& call) {
  DM_ASSIGN_OR_RETURN(const Service service, ServiceContent(call));
  // A session that is there may have ended: only a method that needs one tells.
  return Read(call, service.search_index, "FindByUuid",
              absl::StrCat(XmlLeaf("uuid", "00000000-0000-0000-0000-000000000000"),
                           XmlLeaf("vmSearch", "true"), XmlLeaf("instanceUuid", "true")))
      .status();
}

absl::Status VimClient::PutFile(const common::CallScope& call, const std::string& url,
                                const std::string& file, const std::string& text) {
  for (int attempt = 1;; ++attempt) {
    DM_ASSIGN_OR_RETURN(const std::string session, Session(call, ""));
    common::HttpRequest request = Request(call, "PUT", url);
    request.headers.Add("Content-Type", "application/octet-stream");
    request.headers.Add("Cookie", session);
    request.body_file = file;
    request.body = text;
    request.deadline = call.deadline();
    const absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(request));
    absl::Status status = response.status();
    if (response.ok()) status = common::ErrorOf(*response, "vSphere: upload", absl::Now());
    if (status.ok() || attempt == kMaxAttempts) return status;
    if (absl::IsUnauthenticated(status)) {
      DM_RETURN_IF_ERROR(Session(call, session).status());
    } else if (!IsTransient(status)) {
      return status;
    }
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call, backoff_, attempt, status));
  }
}

absl::Status VimClient::Watch::Open() {
  DM_ASSIGN_OR_RETURN(const Service service, client_.ServiceContent(call_));
  DM_ASSIGN_OR_RETURN(const XmlElement made, client_.Read(call_, service.property_collector,
                                                          "CreatePropertyCollector", ""));
  collector_ = RefOf(made.Child("returnval"));
  return client_
      .Read(call_, collector_, "CreateFilter",
            absl::StrCat(
                XmlNode("spec", absl::StrCat(PropSet(object_.type, paths_), ObjectSet(object_))),
                XmlLeaf("partialUpdates", "false")))
      .status();
}

void VimClient::Watch::Close() {
  if (collector_.empty()) return;
  client_.Read(call_, collector_, "DestroyPropertyCollector", "").status().IgnoreError();
  collector_ = Ref();
  version_.clear();
}

absl::Status VimClient::Watch::Wait(absl::Time until, int looks) {
  DM_RETURN_IF_ERROR(call_.Check());
  const absl::Duration left = std::min(until, call_.deadline()) - absl::Now();
  const int64_t seconds = std::max<int64_t>(1, absl::ToInt64Seconds(std::min(left, kLongestWait)));
  absl::Status status = collector_.empty() ? Open() : absl::OkStatus();
  if (status.ok()) {
    const absl::StatusOr<XmlElement> update = client_.Read(
        call_, collector_, "WaitForUpdatesEx",
        absl::StrCat(XmlLeaf("version", version_),
                     XmlNode("options", XmlLeaf("maxWaitSeconds", absl::StrCat(seconds)))));
    status = update.status();
    if (update.ok() && update->Has("returnval")) {
      version_ = update->Child("returnval").Text("version");
    }
  }
  if (status.ok()) return absl::OkStatus();
  // A collector goes with its session. Whatever it is, the look that follows tells.
  collector_ = Ref();
  version_.clear();
  return PauseBetweenLooks(call_, client_.backoff_, looks, status);
}

KeepAlive::KeepAlive(VimClient& client, const common::CallScope& call, absl::Duration every)
    : thread_([this, &client, &call, every] {
        while (true) {
          {
            absl::MutexLock lock(&mu_);
            if (mu_.AwaitWithTimeout(absl::Condition(&done_), every)) return;
          }
          // Where it fails, whoever needs the session next opens another one.
          client.Call(call, {"ServiceInstance", "ServiceInstance"}, "CurrentTime", "")
              .status()
              .IgnoreError();
        }
      }) {}

KeepAlive::~KeepAlive() {
  {
    absl::MutexLock lock(&mu_);
    done_ = true;
  }
  thread_.join();
}

}  // namespace machine::driver::vmwarevsphere
