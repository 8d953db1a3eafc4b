#include "drivers/google/google_json.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/http/http_message.h"
#include "services/common/status/status.h"

namespace machine::driver::gce {
namespace {

// A description without the field is of the time before ARM.
bool IsArm(const Json& json) {
  const std::string name = Text(json, "name");
  return Text(json, "architecture") == "ARM64" || absl::StartsWith(name, "t2a-") ||
         absl::StartsWith(name, "c4a-");
}

Labels LabelsOf(const Json& json) {
  Labels labels;
  const Json& members = Member(json, "labels");
  if (!members.is_object()) return labels;
  for (const auto& [key, value] : members.items()) labels[key] = Text(members, key);
  return labels;
}

Json SchedulingOf(const InstanceSpec& spec) {
  if (!spec.preemptible && !spec.spot) return {{"automaticRestart", true}};
  Json scheduling = {
      {"automaticRestart", false}, {"onHostMaintenance", "TERMINATE"}, {"preemptible", true}};
  if (spec.spot) {
    scheduling["provisioningModel"] = "SPOT";
    scheduling["instanceTerminationAction"] = "STOP";
  }
  return scheduling;
}

absl::Status FailureOf(const Json& json) {
  const Json& errors = Elements(Member(json, "error"), "errors");
  if (Member(json, "error").is_null()) return absl::OkStatus();
  common::HttpResponse as_if;
  as_if.status = std::max<int>(400, static_cast<int>(Number(json, "httpErrorStatusCode")));
  const Json& first = errors.empty() ? Json() : errors.front();
  const std::string words = Text(first, "message");
  const std::string code = Text(first, "code");
  const absl::Status error = common::ErrorOf(
      as_if,
      absl::StrCat("Google: ", words.empty() ? Text(json, "httpErrorMessage") : words,
                   code.empty() ? "" : absl::StrCat(" (", code, ")")),
      absl::Now());
  return ErrorFor(code, error);
}

}  // namespace

std::string ResourcePath(absl::string_view url) {
  const size_t at = url.find("projects/");
  return std::string(at == absl::string_view::npos ? url : url.substr(at));
}

std::string LastPart(absl::string_view url) {
  const size_t at = url.rfind('/');
  return std::string(at == absl::string_view::npos ? url : url.substr(at + 1));
}

MachineType MachineTypeOf(const Json& json) {
  const Json& deprecated = Member(json, "deprecated");
  return {.name = Text(json, "name"),
          .cpus = Number(json, "guestCpus"),
          .memory_mib = Number(json, "memoryMb"),
          .arm = IsArm(json),
          .has_accelerators = !Elements(json, "accelerators").empty(),
          .deprecation = Text(deprecated, "state"),
          .replacement = LastPart(Text(deprecated, "replacement"))};
}

Image ImageOf(const Json& json) {
  const Json& deprecated = Member(json, "deprecated");
  return {.path = ResourcePath(Text(json, "selfLink")),
          .name = Text(json, "name"),
          .family = Text(json, "family"),
          .disk_gb = Number(json, "diskSizeGb"),
          .arm = Text(json, "architecture") == "ARM64",
          .deprecation = Text(deprecated, "state"),
          .replacement = LastPart(Text(deprecated, "replacement"))};
}

Network NetworkOf(const Json& json) {
  Network network = {.name = Text(json, "name"),
                     .automatic = Flag(json, "autoCreateSubnetworks"),
                     .subnetworks = {}};
  for (const std::string& url : Texts(json, "subnetworks")) {
    network.subnetworks.push_back(ResourcePath(url));
  }
  return network;
}

Address AddressOf(const Json& json) {
  return {Text(json, "name"), Text(json, "address"), Text(json, "status")};
}

Instance InstanceOf(const Json& json) {
  Instance instance;
  instance.id = Text(json, "id");
  instance.name = Text(json, "name");
  instance.zone = LastPart(Text(json, "zone"));
  instance.status = Text(json, "status");
  instance.machine_type = LastPart(Text(json, "machineType"));
  for (const Json& interface : Elements(json, "networkInterfaces")) {
    if (!instance.network.empty()) break;  // The first one is the one to use.
    instance.network = ResourcePath(Text(interface, "network"));
    instance.internal_ip = Text(interface, "networkIP");
    for (const Json& access : Elements(interface, "accessConfigs")) {
      if (instance.external_ip.empty()) instance.external_ip = Text(access, "natIP");
    }
  }
  const Json& scheduling = Member(json, "scheduling");
  instance.preemptible =
      Flag(scheduling, "preemptible") || Text(scheduling, "provisioningModel") == "SPOT";
  instance.labels = LabelsOf(json);
  instance.label_fingerprint = Text(json, "labelFingerprint");
  const Json& metadata = Member(json, "metadata");
  for (const Json& item : Elements(metadata, "items")) {
    instance.metadata.emplace_back(Text(item, "key"), Text(item, "value"));
  }
  instance.metadata_fingerprint = Text(metadata, "fingerprint");
  instance.tags = Texts(Member(json, "tags"), "items");
  instance.tags_fingerprint = Text(Member(json, "tags"), "fingerprint");
  return instance;
}

Disk DiskOf(const Json& json) { return {Text(json, "name"), LabelsOf(json), Texts(json, "users")}; }

absl::StatusOr<Operation> OperationOf(const Json& json) {
  Operation operation;
  operation.name = Text(json, "name");
  if (operation.name.empty() || Text(json, "status").empty()) {
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                         "Google's answer is no operation");
  }
  const std::string zone = LastPart(Text(json, "zone"));
  const std::string region = LastPart(Text(json, "region"));
  operation.scope = !zone.empty()     ? absl::StrCat("zones/", zone)
                    : !region.empty() ? absl::StrCat("regions/", region)
                                      : "global";
  operation.done = Text(json, "status") == "DONE";
  if (operation.done) operation.failure = FailureOf(json);
  return operation;
}

Json MetadataOf(const MetadataItems& items) {
  Json list = Json::array();
  for (const auto& [key, value] : items) list.push_back({{"key", key}, {"value", value}});
  return {{"items", list}};
}

Json BodyOf(const InstanceSpec& spec) {
  const std::string zone = absl::StrCat("zones/", spec.zone);
  Json interface = {{"network", spec.network}};
  if (!spec.subnetwork.empty()) interface["subnetwork"] = spec.subnetwork;
  if (spec.external) {
    Json access = {{"type", "ONE_TO_ONE_NAT"}, {"name", "External NAT"}};
    if (!spec.external_ip.empty()) access["natIP"] = spec.external_ip;
    interface["accessConfigs"] = Json::array({access});
  }
  // Named after the instance, so that it is found where the instance was never made.
  const Json disk = {{"boot", true},
                     {"autoDelete", true},
                     {"type", "PERSISTENT"},
                     {"mode", "READ_WRITE"},
                     {"initializeParams",
                      {{"diskName", spec.name},
                       {"sourceImage", spec.image},
                       {"diskSizeGb", absl::StrCat(spec.disk_gb)},
                       {"diskType", absl::StrCat(zone, "/diskTypes/", spec.disk_type)},
                       {"labels", spec.labels}}}};
  Json body = {{"name", spec.name},
               {"description", "docker-machine"},
               {"machineType", absl::StrCat(zone, "/machineTypes/", spec.machine_type)},
               {"disks", Json::array({disk})},
               {"networkInterfaces", Json::array({interface})},
               {"scheduling", SchedulingOf(spec)},
               {"labels", spec.labels},
               {"metadata", MetadataOf(spec.metadata)},
               {"tags", {{"items", spec.tags}}}};
  if (!spec.service_account.empty()) {
    body["serviceAccounts"] =
        Json::array({{{"email", spec.service_account}, {"scopes", spec.scopes}}});
  }
  return body;
}

Json BodyOf(const FirewallSpec& spec) {
  std::map<std::string, std::vector<std::string>> by_protocol;
  for (const std::string& each : spec.ports) {
    const std::pair<std::string, std::string> port = absl::StrSplit(each, '/');
    by_protocol[port.second].push_back(port.first);
  }
  Json allowed = Json::array();
  for (const auto& [protocol, ports] : by_protocol) {
    allowed.push_back({{"IPProtocol", protocol}, {"ports", ports}});
  }
  return {{"name", spec.name},
          {"description", "docker-machine"},
          {"network", spec.network},
          {"direction", "INGRESS"},
          {"allowed", allowed},
          {"sourceRanges", spec.cidrs},
          {"targetTags", Json::array({spec.tag})}};
}

// https://cloud.google.com/compute/docs/reference/rest/v1/errors, and for operations
// https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-vm-creation
absl::Status ErrorFor(absl::string_view reason, const absl::Status& otherwise) {
  using machine::v1::ErrorReason;
  if (reason == "rateLimitExceeded" || reason == "userRateLimitExceeded" ||
      reason == "RATE_LIMIT_EXCEEDED") {
    // A quota of requests for each minute.
    if (common::ReasonOf(otherwise) == machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT) {
      return otherwise;
    }
    return common::Error(absl::StatusCode::kResourceExhausted,
                         machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT, otherwise.message());
  }
  if (reason == "quotaExceeded" || reason == "limitExceeded" || reason == "QUOTA_EXCEEDED" ||
      reason == "LIMIT_EXCEEDED" || absl::StartsWith(reason, "ZONE_RESOURCE_POOL_EXHAUSTED")) {
    return common::Error(absl::StatusCode::kResourceExhausted,
                         machine::v1::ERROR_REASON_PROVIDER_QUOTA, otherwise.message());
  }
  if (reason == "resourceNotReady" || reason == "resourceInUseByAnotherResource" ||
      reason == "RESOURCE_NOT_READY" || reason == "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE" ||
      reason == "INTERNAL_ERROR") {
    return absl::UnavailableError(otherwise.message());
  }
  if (reason == "alreadyExists" || reason == "duplicate" || reason == "RESOURCE_ALREADY_EXISTS") {
    return absl::AlreadyExistsError(otherwise.message());
  }
  return otherwise;
}

}  // namespace machine::driver::gce
