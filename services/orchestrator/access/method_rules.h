// What each method asks of its caller. Read from the descriptors, so that a new method is refused
// until its proto says who may call it.
#ifndef SERVICES_ORCHESTRATOR_ACCESS_METHOD_RULES_H_
#define SERVICES_ORCHESTRATOR_ACCESS_METHOD_RULES_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "machine/v1/access.pb.h"

namespace machine::orchestrator {

struct MethodRule {
  enum class Who {
    /// Also a client without a certificate.
    kAnyone,
    /// Every user, whatever its role.
    kAnyUser,
    /// Users with `role`.
    kRole,
    /// Nobody from elsewhere.
    kNobody,
  };
  /// What a request names: a user who lacks the role may have it by a grant on that machine.
  enum class Scope {
    /// Nothing that a grant could be for.
    kNone,
    kMachine,
    kOperation,
    /// The answer is limited to the machines that the caller may see.
    kList,
  };

  Who who = Who::kNobody;
  /// With kRole.
  machine::v1::Role role = machine::v1::ROLE_UNSPECIFIED;
  Scope scope = Scope::kNone;
  /// Each call leaves an entry in the audit log.
  bool audited = false;
  /// The role is asked about once the one request is there, which is emptied for who lacks it: for
  /// methods that do nothing for a request that names nothing.
  bool refused_with_details = false;
};

/// Rules by "/package.Service/Method".
class MethodRules {
 public:
  MethodRules();

  /// Of an unknown method: nobody.
  const MethodRule& Of(absl::string_view method) const;

 private:
  const MethodRule unknown_;
  absl::flat_hash_map<std::string, MethodRule> rules_;
};

/// The services that a shared orchestrator serves, but for gRPC's own.
std::vector<const google::protobuf::ServiceDescriptor*> ServedServices();

/// "/package.Service/Method".
std::string PathOf(const google::protobuf::MethodDescriptor& method);

/// What a request is about: "machines/{id}" or the name of another resource; empty for none.
std::string ResourceOf(const google::protobuf::Message& request);

/// "viewer" for ROLE_VIEWER; "no role" for ROLE_UNSPECIFIED.
std::string RoleWord(machine::v1::Role role);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ACCESS_METHOD_RULES_H_
