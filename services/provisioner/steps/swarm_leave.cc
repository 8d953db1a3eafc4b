#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/status/status.h"
#include "services/provisioner/steps/engine_api.h"
#include "services/provisioner/steps/swarm.h"

namespace machine::provisioner {
namespace {

using Json = nlohmann::json;
using ::provisioner::v1::LeaveSwarmRequest;
using ::provisioner::v1::LeaveSwarmResponse;
using ::provisioner::v1::SwarmManager;

// How long a node that may be gone is waited for; its manager is asked in any case.
constexpr absl::Duration kNodePatience = absl::Seconds(10);
// A manager that was made a worker stays in the group of managers until its engine has seen it.
constexpr int kForgetAttempts = 20;
constexpr absl::Duration kForgetPause = absl::Milliseconds(500);

EngineAccess AccessOf(const std::string& url, const ::provisioner::v1::TlsMaterial& tls) {
  return {url, {tls.ca_pem(), tls.client_cert_pem(), tls.client_key_pem()}};
}

// Whether the engine is in a swarm, also in one that it cannot reach.
bool IsMember(const Json& info) {
  const std::string state = TextAt(info, "/Swarm/LocalNodeState");
  return !state.empty() && state != "inactive";
}

// The node that is leaving, as another node that manages the swarm sees it.
class ManagersView {
 public:
  ManagersView(common::CallScope& call, EngineApi& api) : call_(call), api_(api) {}

  // Its id: `known`, or that of the one node of this host name that is down.
  absl::StatusOr<std::string> Find(const std::string& known, const std::string& host_name) {
    if (!known.empty()) return known;
    DM_ASSIGN_OR_RETURN(const Json nodes, api_.Get("/nodes", "listing the swarm's nodes"));
    std::string found;
    for (const Json& node : nodes) {
      if (TextAt(node, "/Description/Hostname") != host_name) continue;
      if (TextAt(node, "/Status/State") != "down") continue;
      // Of two of one name nobody knows which it is.
      if (!found.empty()) return std::string();
      found = TextAt(node, "/ID");
    }
    return found;
  }

  absl::Status MakeWorker(const std::string& id) {
    DM_ASSIGN_OR_RETURN(Json node, api_.Get(absl::StrCat("/nodes/", id), "looking for the node"));
    if (TextAt(node, "/Spec/Role") != "manager") return absl::OkStatus();
    const Json::json_pointer version("/Version/Index");
    if (!node.contains(version)) return SwarmError("the engine tells no version of its node");
    node["Spec"]["Role"] = "worker";
    return api_
        .Post(absl::StrCat("/nodes/", id, "/update?version=", node[version].dump()), node["Spec"],
              "making the node a worker")
        .status();
  }

  absl::Status Forget(const std::string& id) {
    for (int attempt = 1;; ++attempt) {
      const absl::Status status =
          api_.Delete(absl::StrCat("/nodes/", id, "?force=true"), "removing the node");
      if (status.ok() || absl::IsNotFound(status)) return absl::OkStatus();
      if (attempt == kForgetAttempts) return status;
      DM_RETURN_IF_ERROR(call_.Sleep(kForgetPause));
    }
  }

 private:
  common::CallScope& call_;
  EngineApi& api_;
};

// One departure of one node.
class Departure {
 public:
  Departure(common::CallScope& call, const EngineProbe& probe, const LeaveSwarmRequest& request)
      : call_(call), probe_(probe), request_(request) {}

  absl::StatusOr<LeaveSwarmResponse> Run() {
    if (!request_.docker_url().empty()) Note(AskNode());
    if (asked_ && !member_) {
      response_.set_left(true);
      return response_;
    }
    for (const SwarmManager& manager : request_.managers()) {
      const EngineAccess access = AccessOf(manager.docker_url(), manager.tls());
      EngineApi api(call_, probe_, access);
      const absl::StatusOr<Json> info = api.Get("/info", "asking the swarm's manager");
      Note(info.status());
      if (!info.ok() || !ManagesSwarm(*info)) continue;
      ManagersView view(call_, api);
      if (manages_) Note(view.MakeWorker(node_));
      if (asked_) Note(Leave());
      Note(ForgetIn(view));
      return Answer();
    }
    if (asked_) Note(Leave());
    return Answer();
  }

 private:
  absl::Status AskNode() {
    const EngineAccess access = AccessOf(request_.docker_url(), request_.tls());
    common::CallScope brief(std::min(call_.deadline(), absl::Now() + kNodePatience),
                            call_.cancellation(), {});
    EngineApi api(brief, probe_, access);
    DM_ASSIGN_OR_RETURN(const Json info, api.Get("/info", "asking the engine"));
    asked_ = true;
    member_ = IsMember(info);
    manages_ = ManagesSwarm(info);
    node_ = TextAt(info, "/Swarm/NodeID");
    return absl::OkStatus();
  }

  absl::Status Leave() {
    const EngineAccess access = AccessOf(request_.docker_url(), request_.tls());
    EngineApi api(call_, probe_, access);
    DM_RETURN_IF_ERROR(api.Post(absl::StrCat("/swarm/leave", manages_ ? "?force=true" : ""),
                                nullptr, "leaving the swarm")
                           .status());
    response_.set_left(true);
    return absl::OkStatus();
  }

  absl::Status ForgetIn(ManagersView& view) {
    DM_ASSIGN_OR_RETURN(const std::string id, view.Find(node_, request_.host_name()));
    if (id.empty()) return absl::OkStatus();
    if (!asked_) DM_RETURN_IF_ERROR(view.MakeWorker(id));
    DM_RETURN_IF_ERROR(view.Forget(id));
    response_.set_forgotten(true);
    return absl::OkStatus();
  }

  void Note(const absl::Status& status) {
    if (!status.ok() && failure_.ok()) failure_ = status;
  }

  // A node whose engine does not answer, but which the manager has forgotten, is gone.
  absl::StatusOr<LeaveSwarmResponse> Answer() const {
    if (response_.forgotten() || failure_.ok()) return response_;
    return failure_;
  }

  common::CallScope& call_;
  const EngineProbe& probe_;
  const LeaveSwarmRequest& request_;
  bool asked_ = false;
  bool member_ = false;
  bool manages_ = false;
  std::string node_;
  LeaveSwarmResponse response_;
  absl::Status failure_;
};

}  // namespace

absl::StatusOr<LeaveSwarmResponse> LeaveSwarm(common::CallScope& call, const EngineProbe& probe,
                                              const LeaveSwarmRequest& request) {
  return Departure(call, probe, request).Run();
}

}  // namespace machine::provisioner
