#include "services/provisioner/service/provisioner_service.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/rpc/call_scope.h"
#include "services/common/rpc/server_reactors.h"
#include "services/common/rpc/tracing.h"
#include "services/common/status/status.h"
#include "services/provisioner/service/session_protocols.h"
#include "services/provisioner/service/session_relay.h"
#include "services/provisioner/steps/swarm.h"

namespace machine::provisioner {
namespace {

using ::machine::common::CallScope;
using ::machine::common::Cancellation;
using ::machine::common::EventStream;
using ::provisioner::v1::CheckDockerRequest;
using ::provisioner::v1::CheckDockerResponse;
using ::provisioner::v1::DetectRequest;
using ::provisioner::v1::HostInfo;
using ::provisioner::v1::ProvisionEvent;
using ::provisioner::v1::ProvisionRequest;
using ::provisioner::v1::WaitForSshRequest;

constexpr absl::Duration kDefaultSshTimeout = absl::Seconds(60);

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

// Progress and log lines of a call as events of its stream.
CallScope::Sink SinkOf(const std::shared_ptr<EventStream<ProvisionEvent>>& stream) {
  CallScope::Sink sink;
  sink.progress = [stream](machine::v1::Progress progress) {
    ProvisionEvent event;
    *event.mutable_progress() = std::move(progress);
    stream->PushWhenRoom(std::move(event));
  };
  sink.log = [stream](machine::v1::LogLine line) {
    line.set_component("provisioner");
    ProvisionEvent event;
    *event.mutable_log() = std::move(line);
    stream->PushWhenRoom(std::move(event));
  };
  return sink;
}

void LogEnd(const common::Logger& log, const char* method, const std::string& machine_uid,
            const std::string& trace_id, const absl::StatusOr<HostInfo>& info) {
  common::LogFields fields = {{"method", method}, {"machine_uid", machine_uid}};
  if (!trace_id.empty()) fields.emplace_back("trace_id", trace_id);
  if (!info.ok()) {
    fields.emplace_back("error", std::string(info.status().message()));
    log.Warning("call failed", fields);
    return;
  }
  fields.emplace_back("changed", info->changed() ? "true" : "false");
  fields.emplace_back("commands_run", absl::StrCat(info->commands_run()));
  fields.emplace_back("connections_opened", absl::StrCat(info->connections_opened()));
  log.Info("call done", fields);
}

// Of a call that is about an engine and no host.
void LogEnd(const common::Logger& log, const char* method, const std::string& trace_id,
            const absl::Status& status) {
  common::LogFields fields = {{"method", method}};
  if (!trace_id.empty()) fields.emplace_back("trace_id", trace_id);
  if (status.ok()) return log.Info("call done", fields);
  fields.emplace_back("error", std::string(status.message()));
  log.Warning("call failed", fields);
}

}  // namespace

grpc::ServerWriteReactor<ProvisionEvent>* ProvisionerService::WaitForSsh(
    grpc::CallbackServerContext* context, const WaitForSshRequest* request) {
  return StreamCall(*context, "WaitForSsh", request->target().machine_uid(),
                    [this, request = *request](CallScope& call) {
                      return dependencies_.access.Wait(call, request.target(),
                                                       request.has_timeout()
                                                           ? ToDuration(request.timeout())
                                                           : kDefaultSshTimeout);
                    });
}

grpc::ServerUnaryReactor* ProvisionerService::Detect(grpc::CallbackServerContext* context,
                                                     const DetectRequest* request,
                                                     HostInfo* response) {
  return UnaryCall(
      *context, [this, request, response, trace_id = common::TraceIdOf(*context)](CallScope& call) {
        const absl::StatusOr<HostInfo> info = dependencies_.access.WithHost(
            call, request->target(),
            [&call](RemoteHost& host) { return machine::provisioner::Detect(call, host); });
        LogEnd(dependencies_.log, "Detect", request->target().machine_uid(), trace_id, info);
        if (info.ok()) *response = *info;
        return info.status();
      });
}

grpc::ServerWriteReactor<ProvisionEvent>* ProvisionerService::Provision(
    grpc::CallbackServerContext* context, const ProvisionRequest* request) {
  return ProvisionCall(*context, *request, "Provision", Purpose::kProvision);
}

grpc::ServerWriteReactor<ProvisionEvent>* ProvisionerService::Upgrade(
    grpc::CallbackServerContext* context, const ProvisionRequest* request) {
  return ProvisionCall(*context, *request, "Upgrade", Purpose::kUpgrade);
}

grpc::ServerWriteReactor<ProvisionEvent>* ProvisionerService::ConfigureTls(
    grpc::CallbackServerContext* context, const ProvisionRequest* request) {
  return ProvisionCall(*context, *request, "ConfigureTls", Purpose::kConfigureTls);
}

grpc::ServerUnaryReactor* ProvisionerService::ConfigureSwarm(
    grpc::CallbackServerContext* context, const ::provisioner::v1::ConfigureSwarmRequest* request,
    ::provisioner::v1::ConfigureSwarmResponse* response) {
  return UnaryCall(*context,
                   [this, request, response,
                    trace_id = common::TraceIdOf(*context)](CallScope& call) -> absl::Status {
                     auto configured =
                         machine::provisioner::ConfigureSwarm(call, dependencies_.probe, *request);
                     LogEnd(dependencies_.log, "ConfigureSwarm", trace_id, configured.status());
                     DM_ASSIGN_OR_RETURN(*response, std::move(configured));
                     return absl::OkStatus();
                   });
}

grpc::ServerUnaryReactor* ProvisionerService::LeaveSwarm(
    grpc::CallbackServerContext* context, const ::provisioner::v1::LeaveSwarmRequest* request,
    ::provisioner::v1::LeaveSwarmResponse* response) {
  return UnaryCall(*context,
                   [this, request, response,
                    trace_id = common::TraceIdOf(*context)](CallScope& call) -> absl::Status {
                     auto left =
                         machine::provisioner::LeaveSwarm(call, dependencies_.probe, *request);
                     LogEnd(dependencies_.log, "LeaveSwarm", trace_id, left.status());
                     DM_ASSIGN_OR_RETURN(*response, std::move(left));
                     return absl::OkStatus();
                   });
}

grpc::ServerUnaryReactor* ProvisionerService::CheckDocker(grpc::CallbackServerContext* context,
                                                          const CheckDockerRequest* request,
                                                          CheckDockerResponse* response) {
  return UnaryCall(*context, [this, request, response](CallScope& call) -> absl::Status {
    std::optional<EngineTls> tls;
    if (request->has_tls()) {
      tls = EngineTls{request->tls().ca_pem(), request->tls().client_cert_pem(),
                      request->tls().client_key_pem()};
    }
    DM_ASSIGN_OR_RETURN(const EngineVersion version,
                        CheckEngine(call, dependencies_.probe, request->docker_url(), tls,
                                    ToDuration(request->timeout())));
    response->set_docker_version(version.version);
    response->set_docker_api_version(version.api_version);
    return absl::OkStatus();
  });
}

grpc::ServerBidiReactor<::provisioner::v1::ExecRequest, machine::v1::ExecResponse>*
ProvisionerService::Exec(grpc::CallbackServerContext* context) {
  return SessionRelay<ExecProtocol>::Start(dependencies_.executor, dependencies_.access,
                                           dependencies_.calls, common::DeadlineOf(*context));
}

grpc::ServerBidiReactor<::provisioner::v1::TunnelRequest, machine::v1::TunnelResponse>*
ProvisionerService::Tunnel(grpc::CallbackServerContext* context) {
  return SessionRelay<TunnelProtocol>::Start(dependencies_.executor, dependencies_.access,
                                             dependencies_.calls, common::DeadlineOf(*context));
}

grpc::ServerWriteReactor<ProvisionEvent>* ProvisionerService::StreamCall(
    grpc::CallbackServerContext& context, const char* method, std::string machine_uid,
    HostWork work) {
  auto stream = EventStream<ProvisionEvent>::Create();
  auto cancellation = std::make_shared<Cancellation>();
  stream->OnEnded([cancellation] { cancellation->Cancel(); });
  auto entered = dependencies_.calls.Enter([cancellation] { cancellation->Cancel(); });
  if (!entered.ok()) {
    stream->End(entered.status());
    return stream.get();
  }
  dependencies_.executor.Run([this, stream, cancellation, method,
                              machine_uid = std::move(machine_uid), work = std::move(work),
                              deadline = common::DeadlineOf(context),
                              trace_id = common::TraceIdOf(context), entered = *entered] {
    CallScope call(deadline, cancellation, SinkOf(stream));
    failpoints_.Pass("provisioner", method, "before_effect");
    absl::StatusOr<HostInfo> info = work(call);
    failpoints_.Pass("provisioner", method, "after_effect");
    LogEnd(dependencies_.log, method, machine_uid, trace_id, info);
    if (info.ok()) {
      ProvisionEvent event;
      *event.mutable_result() = *info;
      stream->PushWhenRoom(std::move(event));
    }
    stream->End(info.status());
    failpoints_.Pass("provisioner", method, "after_commit");
  });
  return stream.get();
}

grpc::ServerUnaryReactor* ProvisionerService::UnaryCall(
    grpc::CallbackServerContext& context, std::function<absl::Status(CallScope&)> work) {
  auto call = common::UnaryCall::Create();
  auto cancellation = call->cancellation();
  auto entered = dependencies_.calls.Enter([cancellation] { cancellation->Cancel(); });
  if (!entered.ok()) {
    call->Reply(entered.status());
    return call.get();
  }
  dependencies_.executor.Run(
      [call, deadline = common::DeadlineOf(context), work = std::move(work), entered = *entered] {
        CallScope scope(deadline, call->cancellation(), {});
        call->Reply(work(scope));
      });
  return call.get();
}

grpc::ServerWriteReactor<ProvisionEvent>* ProvisionerService::ProvisionCall(
    grpc::CallbackServerContext& context, const ProvisionRequest& request, const char* method,
    Purpose purpose) {
  return StreamCall(
      context, method, request.target().machine_uid(),
      // A copy: gRPC's own is gone when the client is, and the work may still be stopping then.
      [this, request, purpose](CallScope& call) {
        return dependencies_.access.WithHost(call, request.target(), [&](RemoteHost& host) {
          return machine::provisioner::Provision(call, host, dependencies_.probe, request, purpose);
        });
      });
}

}  // namespace machine::provisioner
