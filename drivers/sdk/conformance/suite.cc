#include "drivers/sdk/conformance/suite.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/status/status.h"

namespace machine::driver::conformance {
namespace {

using machine::v1::FlagSpec;
using machine::v1::OptionValue;
using Stub = ::driver::v1::Driver::Stub;

constexpr char kHostIsTheUsers[] = "the host is the user's";

}  // namespace

std::string NewUid() {
  absl::BitGen random;
  const auto bits = [&random](int count) {
    return absl::Uniform<uint64_t>(random, 0, uint64_t{1} << count);
  };
  return absl::StrFormat("%08x-%04x-4%03x-a%03x-%012x", bits(32), bits(16), bits(12), bits(12),
                         bits(48));
}

absl::Status Expect(bool good, absl::string_view otherwise) {
  return good ? absl::OkStatus() : absl::FailedPreconditionError(otherwise);
}

absl::Status ExpectError(const absl::Status& status, absl::StatusCode code,
                         machine::v1::ErrorReason reason) {
  const machine::v1::ErrorReason got = common::ReasonOf(status);
  const bool right = reason == machine::v1::ERROR_REASON_UNSPECIFIED || got == reason;
  if (status.code() == code && right) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "expected ", absl::StatusCodeToString(code), " ", ErrorReason_Name(reason), ", got ",
      status.ToString(absl::StatusToStringMode::kWithNoExtraData), " ", ErrorReason_Name(got)));
}

void Suite::Try(absl::string_view rule, absl::Status (Suite::*method)(),
                absl::string_view skipped) {
  Result result = {.rule = std::string(rule), .status = {}, .skipped = std::string(skipped)};
  if (skipped.empty()) result.status = (this->*method)();
  results_.push_back(std::move(result));
}

bool Suite::Can(::driver::v1::Capability capability) const {
  const auto& all = handshake_.capabilities();
  return std::find(all.begin(), all.end(), capability) != all.end();
}

::driver::v1::MachineRef Suite::Ref(const TestMachine& machine) {
  ::driver::v1::MachineRef ref;
  ::driver::v1::CallContext& context = *ref.mutable_context();
  context.set_machine_uid(machine.uid);
  context.set_machine_name(absl::StrCat("conformance-", machine.uid.substr(0, 8)));
  context.set_operation("operations/conformance");
  context.set_attempt(1);
  context.set_fencing_token(++token_);
  context.set_orchestrator_id(orchestrator_id_);
  for (const OptionValue& option : normalized_) *ref.add_options() = option;
  if (machine.state.has_value()) *ref.mutable_state() = *machine.state;
  ref.set_ssh_public_key(options_.ssh_public_key);
  ref.set_ssh_private_key(options_.ssh_private_key);
  return ref;
}

absl::Status Suite::ExpectState(const TestMachine& machine, machine::v1::MachineState state) {
  ::driver::v1::InspectRequest request;
  *request.mutable_machine() = Ref(machine);
  DM_ASSIGN_OR_RETURN(const auto response, client_.Call(&Stub::Inspect, request));
  const machine::v1::MachineState got = response.observation().state();
  return Expect(got == state, absl::StrCat("Inspect reports ", MachineState_Name(got),
                                           " instead of ", MachineState_Name(state)));
}

absl::Status Suite::ExpectDone(TestMachine& machine, const ActionOutcome& outcome) {
  if (outcome.state.has_value()) machine.state = outcome.state;
  DM_RETURN_IF_ERROR(outcome.status);
  return outcome.order;
}

absl::Status Suite::Remove(TestMachine& machine) {
  ::driver::v1::RemoveRequest request;
  *request.mutable_machine() = Ref(machine);
  return ExpectDone(machine, client_.Act(&Stub::Remove, request));
}

absl::Status Suite::ExpectMissingCapability(const absl::Status& status) {
  return ExpectError(status, absl::StatusCode::kUnimplemented,
                     machine::v1::ERROR_REASON_CAPABILITY_MISSING);
}

std::vector<OptionValue> Suite::Without(absl::string_view name) const {
  std::vector<OptionValue> options;
  for (const OptionValue& option : options_.options) {
    if (option.name() != name) options.push_back(option);
  }
  return options;
}

std::vector<Result> Suite::Run() {
  const bool own = !options_.adopts_existing_hosts;
  Try("agrees on the API and describes itself", &Suite::Handshakes);
  Try("refuses an API it does not speak", &Suite::RefusesOtherApis);
  Try("describes its flags, always alike", &Suite::DescribesItsFlags);
  Try("completes options", &Suite::CompletesOptions);
  Try("refuses unknown options by name", &Suite::RefusesUnknownOptions);
  Try("refuses values of a wrong type by name", &Suite::RefusesWrongTypes);
  Try("names missing options and their variables", &Suite::RefusesMissingOptions);
  Try("checks before a create", &Suite::ChecksBeforeCreate);
  Try("creates a machine", &Suite::Creates);
  if (!results_.back().status.ok()) return results_;  // The rest would only repeat it.
  Try("adopts what it made before", &Suite::AdoptsWhatItMade);
  Try("refuses to adopt another specification", &Suite::RefusesAnotherSpecification,
      options_.different_options.empty() ? "no different options were given" : "");
  Try("refuses calls with an older fencing token", &Suite::RefusesStaleTokens);
  Try("refuses states of a newer version", &Suite::RefusesNewerStates);
  Try("refuses calls without a uid", &Suite::RefusesCallsWithoutUid);
  Try("reports the same in all reads", &Suite::ReadsAgree);
  Try("limits batches", &Suite::BatchesHaveLimits);
  Try("stops and starts, also what is stopped or started", &Suite::StopsAndStarts);
  Try("kills, also what is killed", &Suite::Kills);
  Try("restarts", &Suite::Restarts, options_.skip_restart ? "as asked" : "");
  Try("lists its instances", &Suite::ListsInstances);
  Try("upgrades states", &Suite::UpgradesStates);
  Try("says what it does not know", &Suite::KnowsNothingOfUnknownMachines,
      own ? "" : kHostIsTheUsers);
  Try("notices instances that vanished", &Suite::NoticesVanishedInstances,
      options_.vanish ? "" : "nothing can make one vanish");
  Try("finds again what a cancelled create left", &Suite::CancelledCreateIsFound);
  Try("removes, also what is removed", &Suite::Removes);
  Try("keeps secrets", &Suite::KeepsSecrets);
  return results_;
}

std::vector<Result> RunConformance(const common::Channel& channel, const Options& options) {
  return Suite(channel, options).Run();
}

namespace {

absl::StatusOr<OptionValue> ParseOption(const FlagSpec& flag, const std::string& value) {
  OptionValue option;
  option.set_name(flag.name());
  int64_t number = 0;
  bool flagged = false;
  switch (flag.type()) {
    case FlagSpec::INT:
      if (!absl::SimpleAtoi(value, &number)) {
        return absl::InvalidArgumentError(absl::StrCat("--", flag.name(), " takes a number"));
      }
      option.set_int_value(number);
      break;
    case FlagSpec::BOOL:
      if (!absl::SimpleAtob(value, &flagged)) {
        return absl::InvalidArgumentError(absl::StrCat("--", flag.name(), " takes true or false"));
      }
      option.set_bool_value(flagged);
      break;
    case FlagSpec::STRING_LIST:
      option.mutable_list_value()->add_values(value);
      break;
    default:
      flag.secret() ? option.set_secret_value(value) : option.set_string_value(value);
  }
  return option;
}

}  // namespace

absl::StatusOr<std::vector<OptionValue>> ParseOptions(const common::Channel& channel,
                                                      absl::Span<const std::string> texts) {
  DriverClient client(channel, absl::Seconds(30));
  DM_ASSIGN_OR_RETURN(const auto flags, client.Call(&Stub::GetCreateFlags, {}));
  std::vector<OptionValue> options;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const auto& specs = flags.flags();
    const auto flag = std::find_if(specs.begin(), specs.end(),
                                   [&name](const FlagSpec& spec) { return spec.name() == name; });
    if (equals == std::string::npos || flag == specs.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", name, "\": not of the form name=value with a flag of the driver"));
    }
    DM_ASSIGN_OR_RETURN(OptionValue option, ParseOption(*flag, text.substr(equals + 1)));
    const bool repeated = !options.empty() && options.back().name() == name;
    if (repeated && flag->type() == FlagSpec::STRING_LIST) {
      options.back().mutable_list_value()->MergeFrom(option.list_value());
    } else {
      options.push_back(std::move(option));
    }
  }
  return options;
}

}  // namespace machine::driver::conformance
