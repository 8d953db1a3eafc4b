#include "services/orchestrator/engine/admission.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/empty.pb.h"
#include "services/common/crypto/keys.h"
#include "services/common/crypto/random.h"
#include "services/common/rpc/tracing.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/driver_steps.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/engine/request_identity.h"
#include "services/orchestrator/engine/swarm_steps.h"

namespace machine::orchestrator {
namespace {

constexpr size_t kMaxMachineId = 128;
constexpr size_t kMaxLabels = 64;
constexpr absl::Duration kValidateTimeout = absl::Seconds(10);
// How old a create must be for the same one to follow it.
constexpr absl::Duration kTakenUpAfter = absl::Seconds(2);

void SetTime(google::protobuf::Timestamp& timestamp, absl::Time time) {
  const int64_t us = absl::ToUnixMicros(time);
  timestamp.set_seconds(us / 1'000'000);
  timestamp.set_nanos(static_cast<int32_t>(us % 1'000'000) * 1000);
}

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

// The operation that the same request made before.
absl::StatusOr<std::optional<OperationRecord>> FindRepeatedOperation(StoreTransaction& transaction,
                                                                     const std::string& caller,
                                                                     const std::string& request_id,
                                                                     const std::string& body_hash) {
  DM_ASSIGN_OR_RETURN(const auto request, FindRepeated(transaction, caller, request_id, body_hash));
  if (!request.has_value()) return std::nullopt;
  return transaction.FindOperation(request->operation);
}

OperationRecord NewOperation(const EngineParts& parts, const Verb& verb,
                             const machine::v1::Machine& machine, const std::string& caller,
                             const std::string& request_id, const std::string& trace_id) {
  OperationRecord operation;
  operation.set_name(absl::StrCat("operations/", common::NewUuid()));
  operation.set_machine_uid(machine.uid());
  operation.set_machine_name(std::string(MachineId(machine.name())));
  operation.set_driver(machine.driver());
  operation.set_deadline_us(absl::ToUnixMicros(parts.clock.Now() + verb.deadline));
  auto& metadata = *operation.mutable_metadata();
  metadata.set_machine(machine.name());
  metadata.set_machine_uid(machine.uid());
  metadata.set_verb(std::string(verb.name));
  metadata.set_requested_by(caller);
  metadata.set_request_id(request_id);
  metadata.set_trace_id(trace_id.empty() ? common::NewTraceId() : trace_id);
  SetTime(*metadata.mutable_create_time(), parts.clock.Now());
  return operation;
}

// What the provisioner would refuse, too, but only on a host that has been made by then.
absl::Status CheckEngineOptions(const machine::v1::EngineOptions& engine) {
  const auto is_pair = [](absl::string_view text) {
    const size_t equals = text.find('=');
    return equals != 0 && equals != absl::string_view::npos;
  };
  for (const std::string& label : engine.labels()) {
    if (is_pair(label)) continue;
    return common::InvalidField(
        "machine.engine.labels",
        absl::StrCat("the label \"", label, "\" (--engine-label) is not KEY=VALUE"));
  }
  for (const std::string& variable : engine.env()) {
    if (is_pair(variable)) continue;
    return common::InvalidField(
        "machine.engine.env",
        absl::StrCat("the variable \"", variable, "\" (--engine-env) is not NAME=VALUE"));
  }
  for (const std::string& mirror : engine.registry_mirrors()) {
    if (absl::StartsWith(mirror, "http://") || absl::StartsWith(mirror, "https://")) continue;
    return common::InvalidField("machine.engine.registry_mirrors",
                                absl::StrCat("the mirror \"", mirror,
                                             "\" (--engine-registry-mirror) is no http:// or "
                                             "https:// URL"));
  }
  for (const absl::string_view gone : {"aufs", "overlay", "devicemapper"}) {
    if (engine.storage_driver() == gone) {
      return common::InvalidField(
          "machine.engine.storage_driver",
          absl::StrCat("the storage driver ", gone,
                       " no longer exists in the engine; leave --engine-storage-driver out, or use "
                       "overlay2"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAuthOptions(const machine::v1::AuthOptions& auth) {
  for (const std::string& name : auth.server_cert_sans()) {
    const bool plausible =
        !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
          return absl::ascii_isalnum(c) || absl::StrContains("-._:*", static_cast<char>(c));
        });
    if (plausible) continue;
    return common::InvalidField(
        "machine.auth.server_cert_sans",
        absl::StrCat("\"", name, "\" (--tls-san) is neither a name nor an address"));
  }
  if (!auth.has_server_cert_lifetime()) return absl::OkStatus();
  const absl::Duration lifetime = absl::Seconds(auth.server_cert_lifetime().seconds());
  if (lifetime >= kShortestServerLifetime && lifetime <= kServerLifetime) return absl::OkStatus();
  return common::InvalidField(
      "machine.auth.server_cert_lifetime",
      absl::StrCat("the lifetime of the server certificate (--server-cert-lifetime) must be ",
                   absl::FormatDuration(kShortestServerLifetime), " to ",
                   absl::FormatDuration(kServerLifetime),
                   ", which is the longest that all clients accept"));
}

std::string MissingCapability(absl::string_view verb, const MachineRecord& record) {
  const auto can = [&](::driver::v1::Capability capability) {
    const auto& all = record.capabilities();
    return std::find(all.begin(), all.end(), capability) != all.end();
  };
  const bool missing = (verb == "start" || verb == "stop") ? !can(::driver::v1::CAPABILITY_POWER)
                       : verb == "kill"                    ? !can(::driver::v1::CAPABILITY_KILL)
                       : verb == "restart"                 ? !can(::driver::v1::CAPABILITY_RESTART)
                       : (verb == "provision" || verb == "upgrade" || verb == "regenerate-certs" ||
                          verb == "renew-certs")
                           ? !HasSsh(record)
                           : false;
  if (!missing) return "";
  return absl::StrCat("the ", record.machine().driver(), " driver does not support ", verb);
}

std::optional<machine::v1::MachineState> StateDuring(absl::string_view verb) {
  if (verb == "delete") return machine::v1::MACHINE_STATE_REMOVING;
  if (verb == "start" || verb == "restart") return machine::v1::MACHINE_STATE_STARTING;
  if (verb == "stop" || verb == "kill") return machine::v1::MACHINE_STATE_STOPPING;
  return std::nullopt;
}

}  // namespace

google::longrunning::Operation ToOperation(const OperationRecord& record) {
  if (record.result().done()) return record.result();
  google::longrunning::Operation operation;
  operation.set_name(record.name());
  operation.mutable_metadata()->PackFrom(record.metadata());
  return operation;
}

absl::Status MachineNotFound(absl::string_view id) {
  return common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_MACHINE_NOT_FOUND,
                       absl::StrCat("Docker machine \"", id, "\" does not exist"),
                       {{"machine", std::string(id)}});
}

absl::Status CheckMachineId(absl::string_view id) {
  const auto alphanumeric = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c));
  };
  const bool valid = !id.empty() && id.size() <= kMaxMachineId && alphanumeric(id[0]) &&
                     std::all_of(id.begin(), id.end(),
                                 [&](char c) { return alphanumeric(c) || c == '-' || c == '.'; });
  if (valid) return absl::OkStatus();
  return common::InvalidField(
      "machine_id", "Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . -",
      machine::v1::ERROR_REASON_INVALID_MACHINE_NAME);
}

namespace {

// How messages name the key that a request brings.
struct GivenKey {
  std::string label = "the given key";
  std::string context = "the ssh key";
};

GivenKey FindGivenKey(const std::vector<machine::v1::FlagSpec>& flags,
                      const machine::v1::Machine& machine) {
  for (const machine::v1::FlagSpec& flag : flags) {
    for (const machine::v1::OptionValue& option : machine.driver_options()) {
      if (!flag.ssh_private_key() || option.name() != flag.name()) continue;
      return {option.string_value(),
              absl::StrCat("the key ", option.string_value(), " of --", flag.name())};
    }
  }
  return {};
}

}  // namespace

struct Admission::CreateCall {
  machine::v1::CreateMachineRequest request;
  std::string caller;
  std::string trace_id;
  std::string body_hash;
  std::string spec_hash;
  Reply reply;
  std::shared_ptr<DriverConnection> driver;
  grpc::ClientContext context;
  ::driver::v1::ValidateOptionsRequest validate;
  ::driver::v1::ValidateOptionsResponse validated;
  // Options that its credential gives: not of the machine's record.
  std::set<std::string> credential_options;
  // What the transaction writes; secrets are sealed.
  MachineRecord record;
  std::vector<std::pair<std::string, std::string>> secrets;
  OperationRecord operation;
  std::string owner;
  bool repeated = false;
};

Admission::Admission(EngineParts parts, Engine& engine, WatchHub& hub)
    : parts_(parts), engine_(engine), hub_(hub) {}

void Admission::Create(machine::v1::CreateMachineRequest request, std::string caller,
                       std::string trace_id, Reply reply) {
  auto call = std::make_shared<CreateCall>();
  call->trace_id = std::move(trace_id);
  call->request = std::move(request);
  call->caller = std::move(caller);
  call->reply = std::move(reply);
  if (call->request.validate_only()) {
    return call->reply(common::Error(absl::StatusCode::kUnimplemented,
                                     machine::v1::ERROR_REASON_CAPABILITY_MISSING,
                                     "validate_only is not supported by this version"));
  }
  absl::Status status = CheckMachineId(call->request.machine_id());
  const machine::v1::Machine& machine = call->request.machine();
  if (status.ok() && machine.driver().empty()) {
    status = common::InvalidField("machine.driver", "a machine needs a driver");
  }
  if (status.ok() && machine.labels().size() > kMaxLabels) {
    status = common::InvalidField("machine.labels",
                                  absl::StrCat("at most ", kMaxLabels, " labels are possible"));
  }
  if (status.ok()) status = CheckEngineOptions(machine.engine());
  if (status.ok()) status = CheckAuthOptions(machine.auth());
  if (status.ok()) status = CheckSwarmOptions(machine.swarm());
  if (!status.ok()) return call->reply(status);
  parts_.drivers.GetDriver(
      machine.driver(),
      [this, call](absl::StatusOr<std::shared_ptr<DriverConnection>> driver) mutable {
        if (!driver.ok()) return call->reply(driver.status());
        call->driver = *std::move(driver);
        CreateWithDriver(std::move(call));
      });
}

void Admission::CreateWithDriver(std::shared_ptr<CreateCall> call) {
  const std::string& unsupported = call->driver->handshake().unsupported_reason();
  if (!unsupported.empty()) {
    return call->reply(common::Error(
        absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_UNSUPPORTED_HOST,
        absl::StrCat("the ", call->request.machine().driver(),
                     " driver cannot be used on this host: ", unsupported)));
  }
  call->validate.mutable_options()->CopyFrom(call->request.machine().driver_options());
  *call->validate.mutable_swarm() = call->request.machine().swarm();
  if (call->request.machine().credential().empty()) return Validate(std::move(call));
  // The store is read off the reaction.
  parts_.executor.Run([this, call] {
    const absl::Status status = JoinCredential(*call);
    if (!status.ok()) return call->reply(status);
    Validate(call);
  });
}

absl::Status Admission::JoinCredential(CreateCall& call) {
  const machine::v1::Machine& machine = call.request.machine();
  const std::vector<machine::v1::OptionValue> given(machine.driver_options().begin(),
                                                    machine.driver_options().end());
  return parts_.store.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(
        const auto options,
        CredentialOptions(reader, parts_.vault, machine.credential(), machine.driver(), given));
    for (const machine::v1::OptionValue& option : options) {
      call.credential_options.insert(option.name());
      *call.validate.add_options() = option;
    }
    return absl::OkStatus();
  });
}

void Admission::Validate(std::shared_ptr<CreateCall> call) {
  call->driver->channel().Prepare(call->context, kValidateTimeout);
  call->driver->stub().async()->ValidateOptions(
      &call->context, &call->validate, &call->validated,
      [this, call](const grpc::Status& grpc_status) {
        // Keys are made and secrets sealed off the reaction.
        parts_.executor.Run([this, call, grpc_status]() mutable {
          absl::Status status = DriverCallStatus(common::FromGrpcStatus(grpc_status),
                                                 call->request.machine().driver());
          if (status.ok()) status = PrepareRecord(*call);
          if (!status.ok()) return call->reply(status);
          CommitCreate(std::move(call));
        });
      });
}

absl::Status Admission::PrepareRecord(CreateCall& call) {
  const machine::v1::CreateMachineRequest& request = call.request;
  if (parts_.folder != nullptr && parts_.folder->ForeignFolderExists(request.machine_id())) {
    return common::Error(
        absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_MACHINE_EXISTS,
        absl::StrCat("the folder machines/", request.machine_id(),
                     " is of another docker-machine; take its machines over by "
                     "\"docker-machine import\", move it away or choose another name"),
        {{"machine", request.machine_id()}});
  }
  // What the credential gives stays with it, so that a rotation counts for this machine, too.
  auto& normalized = *call.validated.mutable_normalized_options();
  normalized.erase(std::remove_if(normalized.begin(), normalized.end(),
                                  [&](const machine::v1::OptionValue& option) {
                                    return call.credential_options.contains(option.name());
                                  }),
                   normalized.end());
  call.body_hash = BodyHash(request);
  call.spec_hash = CreateSpecHash(request, call.validated.normalized_options());

  machine::v1::Machine machine;
  machine.set_name(absl::StrCat("machines/", request.machine_id()));
  machine.set_uid(common::NewUuid());
  *machine.mutable_labels() = request.machine().labels();
  machine.set_driver(request.machine().driver());
  *machine.mutable_driver_options() = call.validated.normalized_options();
  machine.set_credential(request.machine().credential());
  *machine.mutable_engine() = request.machine().engine();
  machine.mutable_auth()->mutable_server_cert_sans()->CopyFrom(
      request.machine().auth().server_cert_sans());
  if (request.machine().auth().has_server_cert_lifetime()) {
    *machine.mutable_auth()->mutable_server_cert_lifetime() =
        request.machine().auth().server_cert_lifetime();
  }
  *machine.mutable_swarm() = request.machine().swarm();
  machine.set_state(machine::v1::MACHINE_STATE_CREATING);
  machine.set_driver_version(call.driver->handshake().driver_version());
  SetTime(*machine.mutable_create_time(), parts_.clock.Now());

  std::vector<std::pair<std::string, std::string>> plain = SplitSecrets(machine);
  plain.emplace_back(kCreateSpecSecret, call.spec_hash);
  MachineRecord& record = call.record;
  record.mutable_capabilities()->CopyFrom(call.driver->handshake().capabilities());
  record.set_skip_provision(request.skip_provision());
  if (HasSsh(record)) {
    record.set_ssh_key_label("the machine's own key");
    if (!request.ssh_private_key().empty()) {
      const GivenKey given = FindGivenKey(call.driver->flags(), machine);
      DM_ASSIGN_OR_RETURN(
          *record.mutable_ssh_public_key(),
          common::Annotate(common::SshPublicKey(request.ssh_private_key()), given.context));
      record.set_ssh_key_label(given.label);
      plain.emplace_back(kSshKeySecret, request.ssh_private_key());
    } else if (!request.ssh_agent_socket().empty()) {
      record.set_ssh_agent_socket(request.ssh_agent_socket());
      record.set_ssh_key_label("the keys of the ssh agent");
    } else {
      DM_ASSIGN_OR_RETURN(const common::SshKeyPair pair,
                          common::GenerateSshKeyPair(request.machine_id()));
      record.set_ssh_public_key(pair.public_key);
      plain.emplace_back(kSshKeySecret, std::string(pair.private_key.view()));
    }
    if (request.has_ssh_timeout()) {
      *record.mutable_ssh_timeout() = request.ssh_timeout();
    } else if (call.driver->handshake().has_ssh_timeout()) {
      *record.mutable_ssh_timeout() = call.driver->handshake().ssh_timeout();
    }
  }
  for (const auto& [name, value] : plain) {
    DM_ASSIGN_OR_RETURN(std::string sealed, parts_.vault.Seal(machine.uid(), name, value));
    call.secrets.emplace_back(name, std::move(sealed));
  }
  *record.mutable_machine() = std::move(machine);
  call.operation = NewOperation(parts_, *engine_.FindVerb("create"), record.machine(), call.caller,
                                request.request_id(), call.trace_id);
  call.operation.mutable_request()->set_on_failure(request.on_failure());
  return absl::OkStatus();
}

namespace {

// It may have been removed since its values were read.
absl::Status CheckCredential(StoreReader& reader, const machine::v1::Machine& machine) {
  if (machine.credential().empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const auto credential, reader.FindCredential(machine.credential()));
  return credential.has_value() ? absl::OkStatus() : CredentialNotFound(machine.credential());
}

}  // namespace

void Admission::CommitCreate(std::shared_ptr<CreateCall> call) {
  parts_.store.Write(
      [this, call](StoreTransaction& transaction) -> absl::Status {
        const std::string& request_id = call->request.request_id();
        DM_ASSIGN_OR_RETURN(auto repeated, FindRepeatedOperation(transaction, call->caller,
                                                                 request_id, call->body_hash));
        if (repeated.has_value()) {
          call->operation = *std::move(repeated);
          call->repeated = true;
          return absl::OkStatus();
        }
        DM_ASSIGN_OR_RETURN(const bool resumed, Resume(transaction, *call));
        if (resumed) return KeepRequest(transaction, *call);
        DM_RETURN_IF_ERROR(CheckCredential(transaction, call->record.machine()));
        DM_RETURN_IF_ERROR(transaction.InsertMachine(call->record));
        for (const auto& [name, sealed] : call->secrets) {
          DM_RETURN_IF_ERROR(transaction.PutSecret(call->record.machine().uid(), name, sealed));
        }
        call->owner = engine_.owner();
        DM_RETURN_IF_ERROR(transaction.InsertOperation(call->operation, call->owner));
        return KeepRequest(transaction, *call);
      },
      [this, call](absl::Status status) {
        if (!status.ok()) return call->reply(std::move(status));
        if (!call->repeated) engine_.Run(call->operation, call->owner);
        call->reply(ToOperation(call->operation));
      });
}

absl::Status Admission::KeepRequest(StoreTransaction& transaction, const CreateCall& call) {
  if (call.request.request_id().empty()) return absl::OkStatus();
  return transaction.InsertRequest(
      {call.caller, call.request.request_id(), call.body_hash, call.operation.name()});
}

absl::StatusOr<bool> Admission::Resume(StoreTransaction& transaction, CreateCall& call) {
  if (!call.request.resume()) return false;
  DM_ASSIGN_OR_RETURN(auto record, transaction.FindMachineByName(call.request.machine_id()));
  if (!record.has_value() || record->complete()) return false;
  const std::string uid = record->machine().uid();
  DM_ASSIGN_OR_RETURN(const auto sealed, transaction.FindSecret(uid, kCreateSpecSecret));
  if (!sealed.has_value()) return false;
  DM_ASSIGN_OR_RETURN(const auto spec, parts_.vault.Open(uid, kCreateSpecSecret, *sealed));
  if (spec.view() != call.spec_hash) return false;

  const std::string pending = record->machine().pending_operation();
  if (!pending.empty()) {
    DM_ASSIGN_OR_RETURN(auto operation, transaction.FindOperation(pending));
    if (!operation.has_value() || operation->metadata().verb() != "create") return false;
    if (operation->rolling_back() || operation->metadata().cancel_requested()) {
      return common::Error(absl::StatusCode::kAborted,
                           machine::v1::ERROR_REASON_OPERATION_IN_PROGRESS,
                           absl::StrCat("the former create of \"", call.request.machine_id(),
                                        "\" is still being undone; try again when that is done"),
                           {{"operation", pending}, {"verb", "create"}});
    }
    // Somebody asks for the same at this moment: one of them makes it, the others are told so.
    if (parts_.clock.Now() - ToTime(operation->metadata().create_time()) < kTakenUpAfter)
      return false;
    call.operation = *std::move(operation);
    call.repeated = true;
    return true;
  }
  // What was made so far is known by the uid, so the create's steps find it.
  machine::v1::OperationEvent event;
  event.mutable_log()->set_severity(machine::v1::LogLine::INFO);
  event.mutable_log()->set_text(
      absl::StrCat("Going on with the create of \"", call.request.machine_id(),
                   "\", which had ended with: ", record->machine().last_error().message()));
  record->mutable_machine()->set_state(machine::v1::MACHINE_STATE_CREATING);
  record->mutable_machine()->clear_last_error();
  DM_RETURN_IF_ERROR(transaction.UpdateMachine(*record));
  call.operation.set_machine_uid(uid);
  call.operation.mutable_metadata()->set_machine_uid(uid);
  call.owner = engine_.owner();
  DM_RETURN_IF_ERROR(transaction.InsertOperation(call.operation, call.owner));
  DM_RETURN_IF_ERROR(transaction.AppendEvent(call.operation.name(), event));
  return true;
}

void Admission::Begin(VerbRequest request, Reply reply) {
  TryBegin(std::make_shared<VerbRequest>(std::move(request)),
           std::make_shared<Reply>(std::move(reply)));
}

void Admission::TryBegin(std::shared_ptr<VerbRequest> request, std::shared_ptr<Reply> reply) {
  struct Begun {
    OperationRecord operation;
    std::string owner;
    bool run = false;
    bool missing = false;
    // An operation that was asked to stop for this one.
    std::string in_the_way;
  };
  auto begun = std::make_shared<Begun>();
  parts_.store.Write(
      [this, request, begun](StoreTransaction& transaction) -> absl::Status {
        DM_ASSIGN_OR_RETURN(auto repeated,
                            FindRepeatedOperation(transaction, request->caller, request->request_id,
                                                  request->body_hash));
        if (repeated.has_value()) {
          begun->operation = *std::move(repeated);
          return absl::OkStatus();
        }
        const absl::string_view id = MachineId(request->machine);
        DM_ASSIGN_OR_RETURN(auto record, transaction.FindMachineByName(id));
        if (!record.has_value()) {
          begun->missing = true;
          return request->allow_missing ? absl::OkStatus() : MachineNotFound(id);
        }
        if (!request->etag.empty() && request->etag != record->machine().etag()) {
          return common::Error(absl::StatusCode::kAborted, machine::v1::ERROR_REASON_ETAG_MISMATCH,
                               "the machine has changed since its etag was read");
        }
        const std::string missing = MissingCapability(request->verb, *record);
        if (!missing.empty()) {
          return common::Error(absl::StatusCode::kUnimplemented,
                               machine::v1::ERROR_REASON_CAPABILITY_MISSING, missing);
        }
        if (request->preempt && !record->machine().pending_operation().empty()) {
          begun->in_the_way = record->machine().pending_operation();
          return transaction.RequestCancel(begun->in_the_way);
        }
        begun->operation = NewOperation(parts_, *engine_.FindVerb(request->verb), record->machine(),
                                        request->caller, request->request_id, request->trace_id);
        *begun->operation.mutable_request() = request->details;
        begun->owner = engine_.owner();
        DM_RETURN_IF_ERROR(transaction.InsertOperation(begun->operation, begun->owner));
        if (const auto state = StateDuring(request->verb)) {
          DM_ASSIGN_OR_RETURN(record, transaction.FindMachineByName(id));
          record->mutable_machine()->set_state(*state);
          DM_RETURN_IF_ERROR(transaction.UpdateMachine(*record));
        }
        begun->run = true;
        if (request->request_id.empty()) return absl::OkStatus();
        return transaction.InsertRequest(
            {request->caller, request->request_id, request->body_hash, begun->operation.name()});
      },
      [this, request, reply, begun](absl::Status status) {
        if (!status.ok()) return (*reply)(std::move(status));
        if (begun->missing) {
          google::longrunning::Operation done;
          done.set_done(true);
          done.mutable_response()->PackFrom(google::protobuf::Empty());
          return (*reply)(std::move(done));
        }
        if (!begun->in_the_way.empty()) {
          return WaitAndBeginAgain(request, reply, begun->in_the_way);
        }
        if (begun->run) engine_.Run(begun->operation, begun->owner);
        (*reply)(ToOperation(begun->operation));
      });
}

void Admission::WaitAndBeginAgain(std::shared_ptr<VerbRequest> request,
                                  std::shared_ptr<Reply> reply, const std::string& operation) {
  // What was cancelled may take the machine with it, which is what a delete wants.
  if (request->verb == "delete") request->allow_missing = true;
  hub_.WhenDone(operation, [this, request, reply] { TryBegin(request, reply); });
}

}  // namespace machine::orchestrator
