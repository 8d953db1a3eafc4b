#include "tests/fakes/vcloud/fake_vcloud.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/cloud/xml.h"
#include "tests/fakes/openapi/description.h"
#include "tests/fakes/vcloud/cloudapi.h"
#include "tests/fakes/vcloud/schemas.h"

namespace machine::fakes {
namespace {

using driver::ParseXml;
using driver::XmlElement;
using driver::XmlLeaf;
using driver::XmlNode;

constexpr char kServicesMedia[] =
    "application/vnd.vmware.admin.edgeGatewayServiceConfiguration+xml";
constexpr char kXml[] = "application/vnd.vmware.vcloud+xml";

Response Xml(const std::string& body, int status = 200) {
  return {.status = status, .body = body, .headers = {}, .content_type = kXml};
}

Response Refuse(int status, absl::string_view code, absl::string_view message) {
  return Xml(XmlNode("Error", "",
                     {{"message", std::string(message)},
                      {"majorErrorCode", absl::StrCat(status)},
                      {"minorErrorCode", std::string(code)}}),
             status);
}

std::string Media(absl::string_view type) {
  return absl::StrCat("application/vnd.vmware.vcloud.", type, "+xml");
}

// Whether a name fits a filter's value, which may end with "*".
bool Fits(absl::string_view pattern, absl::string_view name) {
  if (absl::ConsumeSuffix(&pattern, "*")) return absl::StartsWith(name, pattern);
  return pattern == name;
}

}  // namespace

FakeVcloud::FakeVcloud() {
  services_ =
      "<FirewallService><IsEnabled>true</IsEnabled><DefaultAction>drop</DefaultAction>"
      "<LogDefaultAction>false</LogDefaultAction><FirewallRule><Id>1</Id><IsEnabled>true</"
      "IsEnabled>"
      "<Description>theirs</Description><Policy>allow</Policy><Protocols><Any>true</Any></"
      "Protocols>"
      "<DestinationPortRange>Any</DestinationPortRange><DestinationIp>203.0.113.1</DestinationIp>"
      "<SourcePortRange>Any</SourcePortRange><SourceIp>Any</SourceIp></FirewallRule>"
      "</FirewallService><NatService><IsEnabled>true</IsEnabled></NatService>";
  const absl::StatusOr<ApiDescription> cloudapi = ApiDescription::Parse(kCloudApiDescription);
  CheckRequests([cloudapi](const Request& request) {
    if (absl::StartsWith(request.path, "/cloudapi/")) {
      return cloudapi.ok() ? cloudapi->Check(request) : cloudapi.status();
    }
    return absl::StartsWith(request.body, "<?xml") ? FitsVcloudSchemas(request.body)
                                                   : absl::OkStatus();
  });
  NoRoute([](const Request&) {
    return Refuse(403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN", "no such object");
  });
  Route("GET", "/api/versions", [this](const Request&) {
    absl::MutexLock lock(&mu_);
    std::string infos;
    for (const std::string& version : versions_) {
      absl::StrAppend(&infos, XmlNode("VersionInfo", XmlLeaf("Version", version)));
    }
    return Xml(
        XmlNode("SupportedVersions", infos, {{"xmlns", "http://www.vmware.com/vcloud/versions"}}));
  });
  Route("POST", "/cloudapi/1.0.0/sessions",
        [this](const Request& request) { return Login(request); });
  Route("POST", "/oauth/tenant/{org}/token",
        [this](const Request& request) { return Login(request); });
  AddReads();
  AddVappActions();
  AddNsxtReads();
  AddNsxtEffects();
  Start();
}

FakeVcloud::~FakeVcloud() { Stop(); }

bool FakeVcloud::CanValidate() { return HasVcloudSchemas(); }

std::string FakeVcloud::Href(absl::string_view path) const { return absl::StrCat(url(), path); }

Response FakeVcloud::Login(const Request& request) {
  absl::MutexLock lock(&mu_);
  std::string basic;
  absl::Base64Escape(absl::StrCat(kUser, "@", kOrg, ":", kPassword), &basic);
  const bool by_token = absl::StartsWith(request.path, "/oauth/");
  const bool known = by_token ? absl::EndsWith(request.body, absl::StrCat("refresh_token=", kToken))
                              : request.Header("Authorization") == absl::StrCat("Basic ", basic);
  if (!known) return Refuse(by_token ? 400 : 401, "UNAUTHORIZED", "who is that?");
  const std::string session = absl::StrCat("session-", next_++);
  sessions_.insert(session);
  if (by_token) {
    return {.status = 200, .body = absl::StrCat("{\"access_token\":\"", session, "\"}")};
  }
  Response response = {.status = 200, .body = "{\"user\":{}}"};
  response.headers["X-VMWARE-VCLOUD-ACCESS-TOKEN"] = session;
  return response;
}

bool FakeVcloud::Knows(const Request& request) {
  const std::string header = request.Header("Authorization");
  if (!absl::StartsWith(header, "Bearer ") || !sessions_.contains(header.substr(7))) return false;
  const bool json = absl::StartsWith(request.path, "/cloudapi/");
  const std::string accept = request.Header("Accept");
  return std::any_of(versions_.begin(), versions_.end(), [&](const std::string& version) {
    return accept == absl::StrCat("application/", json ? "json" : "*+xml", ";version=", version);
  });
}

FakeServer::Handler FakeVcloud::Guarded(Handler handler, bool effect) {
  return [this, handler = std::move(handler), effect](const Request& request) {
    const auto refuse =
        absl::StartsWith(request.path, "/cloudapi/") ? &FakeVcloud::RefuseJson : &Refuse;
    {
      absl::MutexLock lock(&mu_);
      if (!Knows(request)) return refuse(401, "UNAUTHORIZED", "no session");
      if (effect && busy_ > 0) {
        --busy_;
        return refuse(400, "BUSY_ENTITY", "The entity is busy completing an operation.");
      }
    }
    return handler(request);
  };
}

void FakeVcloud::AddReads() {
  const auto read = [this](absl::string_view path, std::function<std::string()> body) {
    Route("GET", path, Guarded([body](const Request&) { return Xml(body()); }, false));
  };
  const auto link = [this](absl::string_view name, absl::string_view path, absl::string_view type) {
    return XmlNode("Link", "",
                   {{"rel", "down"},
                    {"name", std::string(name)},
                    {"href", Href(path)},
                    {"type", Media(type)}});
  };
  read("/api/org", [this] {
    return XmlNode("OrgList", XmlNode("Org", "", {{"name", kOrg}, {"href", Href("/api/org/1")}}));
  });
  read("/api/org/1", [link] {
    return XmlNode("Org", absl::StrCat(link("vdc1", "/api/vdc/1", "vdc"),
                                       link("Public Catalog", "/api/catalog/1", "catalog"),
                                       link("mine", "/api/catalog/2", "catalog")));
  });
  read("/api/vdc/1", [this] {
    std::string networks;
    for (const char* const name : {"vdc1-default-routed", "other"}) {
      absl::StrAppend(&networks, XmlNode("Network", "",
                                         {{"name", name},
                                          {"href", Href(absl::StrCat("/api/network/", name))},
                                          {"type", Media("network")}}));
    }
    return XmlNode("Vdc", XmlNode("AvailableNetworks", networks));
  });
  read("/api/catalog/1", [this] {
    return XmlNode("Catalog", XmlNode("CatalogItems", XmlNode("CatalogItem", "",
                                                              {{"name", "Ubuntu 24.04"},
                                                               {"href", Href("/api/catalogItem/1")},
                                                               {"type", Media("catalogItem")}})));
  });
  read("/api/catalog/2", [] { return XmlNode("Catalog", XmlNode("CatalogItems", "")); });
  read("/api/catalogItem/1", [this] {
    return XmlNode("CatalogItem", XmlNode("Entity", "",
                                          {{"name", "Ubuntu 24.04"},
                                           {"href", Href("/api/vAppTemplate/1")},
                                           {"type", Media("vAppTemplate")}}));
  });
  read("/api/vAppTemplate/1", [this] {
    return XmlNode(
        "VAppTemplate",
        XmlNode("Children",
                XmlNode("Vm", "", {{"name", "ubuntu"}, {"href", Href("/api/vAppTemplate/vm-1")}})));
  });
  read(absl::StrCat("/api/admin/edgeGateway/", kGatewayUuid), [this] {
    absl::MutexLock lock(&mu_);
    const std::string uplink = XmlNode(
        "GatewayInterface",
        absl::StrCat(XmlNode("Network", "", {{"name", "internet"}, {"href", Href("/api/ext/1")}}),
                     XmlLeaf("InterfaceType", "uplink")));
    const std::string configuration =
        absl::StrCat(XmlNode("GatewayInterfaces", uplink),
                     XmlNode("EdgeGatewayServiceConfiguration", services_));
    const std::string link = XmlNode(
        "Link", "",
        {{"rel", "edgeGateway:configureServices"},
         {"href",
          Href(absl::StrCat("/api/admin/edgeGateway/", kGatewayUuid, "/action/configureServices"))},
         {"type", kServicesMedia}});
    return XmlNode("EdgeGateway",
                   absl::StrCat(gateway_ == Gateway::kNsxV ? link : "",
                                XmlNode("Configuration", configuration)),
                   {{"name", "vdc1"}});
  });
  Route("GET", "/api/query",
        Guarded([this](const Request& request) { return Query(request); }, false));
  Route("GET", "/api/task/{id}",
        Guarded(
            [this](const Request& request) {
              absl::MutexLock lock(&mu_);
              const auto it = tasks_.find(request.captures[0]);
              if (it == tasks_.end()) return Refuse(403, "X", "no task");
              if (it->second.looks > 0 && --it->second.looks == 0) {
                Finish(it->second);
              }
              return Xml(TaskXml(it->first));
            },
            false));
}

FakeVcloud::Vapp* FakeVcloud::Find(const std::string& number) {
  int key = 0;
  if (!absl::SimpleAtoi(absl::StripPrefix(absl::StripPrefix(number, "vapp-"), "vm-"), &key)) {
    return nullptr;
  }
  const auto it = vapps_.find(key);
  return it == vapps_.end() ? nullptr : &it->second;
}

void FakeVcloud::AddVappActions() {
  const auto gone = [] {
    return Refuse(403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN", "no access to entity");
  };
  const auto get = [this, gone](const Request& request) {
    absl::MutexLock lock(&mu_);
    const Vapp* const vapp = Find(request.captures[0]);
    if (vapp == nullptr) return gone();
    if (absl::StartsWith(request.captures[0], "vapp-")) return Xml(VappXml(*vapp));
    return Xml(
        XmlNode("Vm",
                XmlNode("VmSpecSection",
                        absl::StrCat(XmlLeaf("NumCpus", absl::StrCat(vapp->cpus)),
                                     XmlNode("MemoryResourceMb",
                                             XmlLeaf("Configured", absl::StrCat(vapp->memory_mib))),
                                     XmlLeaf("HardwareVersion", "vmx-14"))),
                {{"name", vapp->vm_name}}));
  };
  Route("GET", "/api/vApp/{id}", Guarded(get, false));
  Route("POST", "/api/vdc/1/action/composeVApp",
        Guarded([this](const Request& request) { return Compose(request); }, true));
  Route(
      "POST", "/api/vApp/{id}/power/action/{action}",
      Guarded([this](const Request& request) { return Act(request, request.captures[1]); }, true));
  Route(
      "POST", "/api/vApp/{id}/action/{action}",
      Guarded([this](const Request& request) { return Act(request, request.captures[1]); }, true));
  Route("DELETE", "/api/vApp/{id}",
        Guarded([this](const Request& request) { return Act(request, "delete"); }, true));
  Route("POST", absl::StrCat("/api/admin/edgeGateway/", kGatewayUuid, "/action/configureServices"),
        Guarded([this](const Request& request) { return Configure(request); }, true));
}

std::string FakeVcloud::StartTask(const std::string& action, int vapp,
                                  std::function<void()> effect) {
  const std::string id = absl::StrCat("task-", next_++);
  Task& task = tasks_[id];
  task = {.looks = task_looks_,
          .error = next_error_,
          .action = action,
          .vapp = vapp,
          .effect = std::move(effect)};
  next_error_.clear();
  if (task.looks == 0) Finish(task);
  return id;
}

void FakeVcloud::Finish(const Task& task) {
  if (task.effect && task.error.empty()) task.effect();
  const auto it = vapps_.find(task.vapp);
  if (it == vapps_.end()) return;
  Vapp& vapp = it->second;
  vapp.task.clear();
  if (!task.error.empty()) {
    if (task.action == "compose") vapp.status = "FAILED_CREATION";
    return;
  }
  if (task.action == "compose") {
    vapp.has_vm = true;
    vapp.status = "POWERED_OFF";
  } else if (task.action == "powerOn" || task.action == "reboot") {
    vapp.status = "POWERED_ON";
    vapp.deployed = true;
  } else if (task.action == "shutdown" || task.action == "powerOff") {
    vapp.status = "POWERED_OFF";
  } else if (task.action == "undeploy") {
    vapp.status = "POWERED_OFF";
    vapp.deployed = false;
  } else if (task.action == "delete") {
    vapps_.erase(it);
  }
}

std::string FakeVcloud::TaskXml(const std::string& id) const {
  const Task& task = tasks_.at(id);
  const bool running = task.looks > 0;
  const std::string status = running ? "running" : task.error.empty() ? "success" : "error";
  const std::string error = running || task.error.empty()
                                ? ""
                                : XmlNode("Error", "",
                                          {{"message", "it failed"},
                                           {"majorErrorCode", "400"},
                                           {"minorErrorCode", task.error}});
  return XmlNode("Task", error,
                 {{"href", Href(absl::StrCat("/api/task/", id))},
                  {"status", status},
                  {"operation", task.action}});
}

std::string FakeVcloud::VappXml(const Vapp& vapp) const {
  return XmlNode("VApp",
                 absl::StrCat(XmlLeaf("Description", vapp.description),
                              vapp.task.empty() ? "" : XmlNode("Tasks", TaskXml(vapp.task))),
                 {{"name", vapp.name},
                  {"href", Href(absl::StrCat("/api/vApp/vapp-", vapp.number))},
                  {"deployed", vapp.deployed ? "true" : "false"}});
}

Response FakeVcloud::Compose(const Request& request) {
  const std::optional<XmlElement> body = ParseXml(request.body);
  if (!body.has_value()) return Refuse(400, "BAD_REQUEST", "no XML");
  absl::MutexLock lock(&mu_);
  for (const auto& [number, vapp] : vapps_) {
    if (vapp.name == body->Attribute("name")) {
      return Refuse(400, "DUPLICATE_NAME", "the name is taken");
    }
  }
  const XmlElement& item = body->Child("SourcedItem");
  if (item.Child("Source").Attribute("href") != Href("/api/vAppTemplate/vm-1")) {
    return Refuse(400, "BAD_REQUEST", "no such source");
  }
  const int number = next_++;
  Vapp& vapp = vapps_[number];
  vapp.number = number;
  vapp.name = body->Attribute("name");
  vapp.description = body->Text("Description");
  vapp.vm_name = item.Child("VmGeneralParams").Text("Name");
  const std::string task = StartTask("compose", number);
  if (tasks_[task].looks > 0) vapp.task = task;
  return Xml(VappXml(vapp), 201);
}

Response FakeVcloud::Act(const Request& request, const std::string& action) {
  absl::MutexLock lock(&mu_);
  Vapp* const vapp = Find(request.captures[0]);
  if (vapp == nullptr) return Refuse(403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN", "no access to entity");
  if (!vapp->task.empty()) return Refuse(400, "BUSY_ENTITY", "another task is under way");
  const bool on = vapp->status == "POWERED_ON";
  const bool wants_on = action == "shutdown" || action == "powerOff" || action == "reboot";
  if ((wants_on && !on) || (action == "powerOn" && on) || (action == "delete" && vapp->deployed) ||
      (action == "undeploy" && !vapp->deployed)) {
    return Refuse(400, "BAD_REQUEST", absl::StrCat("the vApp is in no state for ", action));
  }
  if (action == "reconfigureVm") {
    const std::optional<XmlElement> body = ParseXml(request.body);
    if (!body.has_value() || on) return Refuse(400, "BAD_REQUEST", "it runs");
    const XmlElement& section = body->Child("VmSpecSection");
    if (!absl::SimpleAtoi(section.Text("NumCpus"), &vapp->cpus) ||
        !absl::SimpleAtoi(section.Child("MemoryResourceMb").Text("Configured"),
                          &vapp->memory_mib)) {
      return Refuse(400, "BAD_REQUEST", "no numbers");
    }
  }
  const int number = vapp->number;
  const std::string task = StartTask(action, number);
  if (tasks_[task].looks > 0) vapps_[number].task = task;
  return Xml(TaskXml(task), 202);
}

Response FakeVcloud::Configure(const Request& request) {
  absl::MutexLock lock(&mu_);
  if (gateway_ != Gateway::kNsxV) return Refuse(400, "BAD_REQUEST", "not by this API");
  const size_t begin = request.body.find("<FirewallService>");
  const size_t end = request.body.find("</EdgeGatewayServiceConfiguration>");
  if (begin == std::string::npos || end == std::string::npos) {
    return Refuse(400, "BAD_REQUEST", "no services");
  }
  services_ = request.body.substr(begin, end - begin);
  return Xml(TaskXml(StartTask("configure", 0)), 202);
}

Response FakeVcloud::Query(const Request& request) {
  absl::MutexLock lock(&mu_);
  const std::string type = request.Query("type");
  const std::string filter = request.Query("filter");
  const std::string pattern = filter.substr(filter.rfind("==") + 2);
  int page = 1;
  int size = 25;
  if (!absl::SimpleAtoi(request.Query("page"), &page) ||
      !absl::SimpleAtoi(request.Query("pageSize"), &size) || size > 128) {
    return Refuse(400, "BAD_REQUEST", "page");
  }
  std::string records;
  int total = 0;
  for (const auto& [number, vapp] : vapps_) {
    if (!Fits(pattern, vapp.name) || (type == "vm" && !vapp.has_vm)) continue;
    const int place = total++;
    if (place < (page - 1) * size || place >= page * size) continue;
    const std::string href = Href(absl::StrCat("/api/vApp/vapp-", number));
    if (type == "vApp") {
      absl::StrAppend(&records,
                      XmlNode("VAppRecord", "",
                              {{"name", vapp.name}, {"href", href}, {"status", vapp.status}}));
      continue;
    }
    const std::string ip = vapp.status == "POWERED_ON"
                               ? absl::StrCat("192.168.", number / 250 % 250, ".", 1 + number % 250)
                               : "";
    absl::StrAppend(&records, XmlNode("VMRecord", "",
                                      {{"name", vapp.vm_name},
                                       {"href", Href(absl::StrCat("/api/vApp/vm-", number))},
                                       {"container", href},
                                       {"containerName", vapp.name},
                                       {"status", vapp.status},
                                       {"ipAddress", ip}}));
  }
  return Xml(XmlNode("QueryResultRecords", records, {{"total", absl::StrCat(total)}}));
}

void FakeVcloud::Expire() {
  absl::MutexLock lock(&mu_);
  sessions_.clear();
}

void FakeVcloud::SetTaskLooks(int looks) {
  absl::MutexLock lock(&mu_);
  task_looks_ = looks;
}

void FakeVcloud::FailNextTask(absl::string_view code) {
  absl::MutexLock lock(&mu_);
  next_error_ = std::string(code);
}

void FakeVcloud::BeBusy(int times) {
  absl::MutexLock lock(&mu_);
  busy_ = times;
}

void FakeVcloud::BackGateway(Gateway gateway) {
  absl::MutexLock lock(&mu_);
  gateway_ = gateway;
}

void FakeVcloud::OfferVersions(std::vector<std::string> versions) {
  absl::MutexLock lock(&mu_);
  versions_ = std::move(versions);
}

void FakeVcloud::TakePort(absl::string_view name, int port) {
  absl::MutexLock lock(&mu_);
  edge_.Put(NsxtEdge::Kind::kNatRule, {{"name", name},
                                       {"enabled", true},
                                       {"type", "DNAT"},
                                       {"externalAddresses", "203.0.113.5"},
                                       {"internalAddresses", "192.168.9.9"},
                                       {"dnatExternalPort", absl::StrCat(port)}});
  const std::string rule = XmlNode(
      "NatRule",
      absl::StrCat(
          XmlLeaf("Description", name), XmlLeaf("RuleType", "DNAT"), XmlLeaf("IsEnabled", "true"),
          XmlNode("GatewayNatRule", absl::StrCat(XmlLeaf("OriginalIp", "203.0.113.5"),
                                                 XmlLeaf("OriginalPort", absl::StrCat(port)),
                                                 XmlLeaf("TranslatedIp", "192.168.9.9"),
                                                 XmlLeaf("TranslatedPort", absl::StrCat(port)),
                                                 XmlLeaf("Protocol", "tcp")))));
  services_.insert(services_.rfind("</NatService>"), rule);
}

void FakeVcloud::Vanish(absl::string_view name) {
  absl::MutexLock lock(&mu_);
  for (auto it = vapps_.begin(); it != vapps_.end();) {
    it = it->second.name == name ? vapps_.erase(it) : std::next(it);
  }
}

void FakeVcloud::AddMachines(int count, absl::string_view prefix) {
  absl::MutexLock lock(&mu_);
  for (int i = 0; i < count; ++i) {
    const int number = next_++;
    Vapp& vapp = vapps_[number];
    vapp.number = number;
    vapp.name = absl::StrCat(prefix, i);
    vapp.status = "POWERED_ON";
    vapp.has_vm = true;
    vapp.deployed = true;
  }
}

std::vector<std::string> FakeVcloud::VappNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [number, vapp] : vapps_) names.push_back(vapp.name);
  return names;
}

std::vector<std::string> FakeVcloud::RunningVapps() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [number, vapp] : vapps_) {
    if (vapp.status == "POWERED_ON") names.push_back(vapp.name);
  }
  return names;
}

std::vector<std::string> FakeVcloud::Rules() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> rules;
  const std::optional<XmlElement> services = ParseXml(XmlNode("x", services_));
  if (!services.has_value()) return rules;
  for (const XmlElement& service : services->children()) {
    for (const XmlElement& rule : service.children()) {
      if (rule.Has("Description")) rules.push_back(rule.Text("Description"));
    }
  }
  return rules;
}

}  // namespace machine::fakes
