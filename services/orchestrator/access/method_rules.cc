#include "services/orchestrator/access/method_rules.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/longrunning/operations.pb.h"
#include "machine/options/v1/options.pb.h"
#include "machine/v1/credentials.pb.h"
#include "machine/v1/driver_certificates.pb.h"
#include "machine/v1/driver_identities.pb.h"
#include "machine/v1/drivers.pb.h"
#include "machine/v1/machines.pb.h"
#include "machine/v1/operations.pb.h"
#include "machine/v1/orphans.pb.h"
#include "machine/v1/server.pb.h"
#include "machine/v1/sessions.pb.h"

namespace machine::orchestrator {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
using machine::v1::Role;
using Who = MethodRule::Who;
using Scope = MethodRule::Scope;

// Of methods whose protos are not ours to annotate, and of gRPC's own services.
struct FixedRule {
  absl::string_view path;
  MethodRule rule;
};
const FixedRule kFixedRules[] = {
    {"/google.longrunning.Operations/ListOperations",
     {Who::kRole, machine::v1::ROLE_VIEWER, Scope::kList, false}},
    {"/google.longrunning.Operations/GetOperation",
     {Who::kRole, machine::v1::ROLE_VIEWER, Scope::kOperation, false, true}},
    {"/google.longrunning.Operations/WaitOperation",
     {Who::kRole, machine::v1::ROLE_VIEWER, Scope::kOperation, false, true}},
    {"/google.longrunning.Operations/CancelOperation",
     {Who::kRole, machine::v1::ROLE_OPERATOR, Scope::kOperation, true, true}},
    {"/google.longrunning.Operations/DeleteOperation",
     {Who::kRole, machine::v1::ROLE_OPERATOR, Scope::kOperation, true, true}},
    {"/machine.v1.OperationEvents/WatchOperation",
     {Who::kRole, machine::v1::ROLE_VIEWER, Scope::kOperation, false, true}},
    {"/grpc.health.v1.Health/Check", {Who::kAnyUser}},
    {"/grpc.health.v1.Health/Watch", {Who::kAnyUser}},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", {Who::kAnyUser}},
};

const std::string* NameField(const Message& message, absl::string_view field,
                             std::string& scratch) {
  const FieldDescriptor* const descriptor =
      message.GetDescriptor()->FindFieldByName(std::string(field));
  if (descriptor == nullptr || descriptor->is_repeated() ||
      descriptor->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return nullptr;
  }
  const std::string& value =
      message.GetReflection()->GetStringReference(message, descriptor, &scratch);
  return value.empty() ? nullptr : &value;
}

bool NamesOneMachine(const MethodDescriptor& method) {
  const std::string& service = method.service()->full_name();
  if (service == "machine.v1.Sessions") return true;
  if (service != "machine.v1.Machines") return false;
  // A create names a machine that is not there yet, so no grant can be for it.
  return method.input_type()->FindFieldByName("name") != nullptr ||
         method.name() == "UpdateMachine";
}

MethodRule RuleOf(const MethodDescriptor& method) {
  MethodRule rule;
  const auto& options = method.options().GetExtension(machine::options::v1::method);
  const std::string& role = options.role();
  Role parsed = machine::v1::ROLE_UNSPECIFIED;
  if (role == "anyone") {
    rule.who = Who::kAnyone;
  } else if (role == "user") {
    rule.who = Who::kAnyUser;
  } else if (Role_Parse(absl::StrCat("ROLE_", absl::AsciiStrToUpper(role)), &parsed) &&
             parsed != machine::v1::ROLE_UNSPECIFIED) {
    rule.who = Who::kRole;
    rule.role = parsed;
  }
  if (NamesOneMachine(method)) rule.scope = Scope::kMachine;
  if (method.name() == "ListMachines" || method.name() == "WatchMachines") {
    rule.scope = Scope::kList;
  }
  // What viewers may do changes nothing. Keys of machines are worth an entry, too.
  const bool changes = !options.idempotent() && rule.role != machine::v1::ROLE_VIEWER;
  rule.audited = changes || method.name() == "GetAccessBundle";
  rule.refused_with_details = rule.scope == Scope::kMachine && !method.client_streaming();
  return rule;
}

}  // namespace

std::vector<const ServiceDescriptor*> ServedServices() {
  std::vector<const ServiceDescriptor*> services;
  for (const google::protobuf::FileDescriptor* file :
       {machine::v1::Machine::descriptor()->file(),
        machine::v1::GetMachineRequest::descriptor()->file(),
        machine::v1::OperationEvent::descriptor()->file(),
        machine::v1::ListDriversRequest::descriptor()->file(),
        machine::v1::ServerInfo::descriptor()->file(), machine::v1::ExecStart::descriptor()->file(),
        machine::v1::User::descriptor()->file(), machine::v1::Credential::descriptor()->file(),
        machine::v1::Orphan::descriptor()->file(),
        machine::v1::IssueDriverCertificateRequest::descriptor()->file(),
        machine::v1::DriverIdentity::descriptor()->file(),
        google::longrunning::Operation::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) services.push_back(file->service(i));
  }
  return services;
}

std::string PathOf(const MethodDescriptor& method) {
  return absl::StrCat("/", method.service()->full_name(), "/", method.name());
}

MethodRules::MethodRules() {
  for (const ServiceDescriptor* const service : ServedServices()) {
    for (int i = 0; i < service->method_count(); ++i) {
      rules_[PathOf(*service->method(i))] = RuleOf(*service->method(i));
    }
  }
  for (const FixedRule& fixed : kFixedRules) rules_[std::string(fixed.path)] = fixed.rule;
}

const MethodRule& MethodRules::Of(absl::string_view method) const {
  const auto it = rules_.find(method);
  return it == rules_.end() ? unknown_ : it->second;
}

std::string ResourceOf(const Message& request) {
  std::string scratch;
  if (const std::string* name = NameField(request, "name", scratch)) return *name;
  if (const std::string* id = NameField(request, "machine_id", scratch)) {
    return absl::StrCat("machines/", *id);
  }
  if (const std::string* id = NameField(request, "credential_id", scratch)) {
    return absl::StrCat("credentials/", *id);
  }
  if (const std::string* id = NameField(request, "user_id", scratch)) {
    return absl::StrCat("users/", *id);
  }
  if (const std::string* user = NameField(request, "user", scratch)) return *user;
  for (const char* part : {"start", "machine", "user", "grant", "credential"}) {
    const FieldDescriptor* const field = request.GetDescriptor()->FindFieldByName(part);
    if (field == nullptr || field->is_repeated() ||
        field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
        !request.GetReflection()->HasField(request, field)) {
      continue;
    }
    return ResourceOf(request.GetReflection()->GetMessage(request, field));
  }
  return "";
}

std::string RoleWord(Role role) {
  if (role == machine::v1::ROLE_UNSPECIFIED) return "no role";
  return absl::AsciiStrToLower(absl::StripPrefix(machine::v1::Role_Name(role), "ROLE_"));
}

}  // namespace machine::orchestrator
