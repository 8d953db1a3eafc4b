#include "cli/commands/create_flags.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "cli/commands/command.h"
#include "cli/commands/ssh_keys.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::DriverInfo;
using machine::v1::FlagSpec;
using machine::v1::OptionValue;

FlagType TypeOf(FlagSpec::Type type) {
  switch (type) {
    case FlagSpec::INT:
      return FlagType::kInt;
    case FlagSpec::BOOL:
      return FlagType::kBool;
    case FlagSpec::STRING_LIST:
      return FlagType::kList;
    default:
      return FlagType::kString;
  }
}

std::string TextOf(const OptionValue& value) {
  switch (value.value_case()) {
    case OptionValue::kStringValue:
      return value.string_value();
    case OptionValue::kIntValue:
      return absl::StrCat(value.int_value());
    case OptionValue::kBoolValue:
      return value.bool_value() ? "true" : "";
    default:
      return "";
  }
}

std::string UsageOf(const FlagSpec& spec) {
  std::string usage = spec.usage();
  if (!spec.allowed_values().empty()) {
    absl::StrAppend(&usage, " (", absl::StrJoin(spec.allowed_values(), ", "), ")");
  }
  if (!spec.deprecated_by().empty())
    absl::StrAppend(&usage, " (retired: ", spec.deprecated_by(), ")");
  return usage;
}

const FlagSpec* FindSpec(const DriverInfo& driver, absl::string_view name) {
  for (const FlagSpec& spec : driver.flags()) {
    if (spec.name() == name) return &spec;
  }
  return nullptr;
}

OptionValue ValueOf(const FlagSpec& spec, const ParsedArgs& args) {
  OptionValue value;
  value.set_name(spec.name());
  if (spec.secret()) {
    value.set_secret_value(args.String(spec.name()));
    return value;
  }
  switch (spec.type()) {
    case FlagSpec::INT:
      value.set_int_value(args.Int(spec.name()));
      break;
    case FlagSpec::BOOL:
      value.set_bool_value(args.Bool(spec.name()));
      break;
    case FlagSpec::STRING_LIST:
      for (const std::string& element : args.List(spec.name())) {
        value.mutable_list_value()->add_values(element);
      }
      break;
    default:
      value.set_string_value(args.String(spec.name()));
      break;
  }
  return value;
}

absl::Status MissingFlag(const DriverInfo& driver, const FlagSpec& spec) {
  std::string message =
      absl::StrCat(driver.name(), " driver requires the --", spec.name(), " option");
  if (!spec.env_vars().empty()) {
    absl::StrAppend(&message, " (or the environment variable ",
                    absl::StrJoin(spec.env_vars(), " or "), ")");
  }
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<std::string> ReadFlagFile(const FlagSpec& spec, std::string path,
                                         const Environment& env) {
  // The shell leaves the tilde alone after '=' and in variables.
  if (absl::StartsWith(path, "~/")) path = absl::StrCat(env.Get("HOME"), path.substr(1));
  absl::StatusOr<std::string> contents = common::ReadFile(path, /*max_bytes=*/1 << 20);
  if (!contents.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the file of --", spec.name(), " cannot be read: ", contents.status().message()));
  }
  return contents;
}

absl::Status FillKey(const FlagSpec& spec, const std::string& path, const Environment& env,
                     machine::v1::CreateMachineRequest& request, SshLogin& login) {
  DM_ASSIGN_OR_RETURN(std::string key, ReadFlagFile(spec, path, env));
  if (IsEncryptedKey(key)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key ", path, " of --", spec.name(),
                     " has a passphrase: load it into an ssh agent and leave the option out"));
  }
  request.set_ssh_private_key(std::move(key));
  login.used = absl::StrCat("the key ", path);
  return absl::OkStatus();
}

void FillDefaultKey(const Environment& env, bool local, machine::v1::CreateMachineRequest& request,
                    SshLogin& login) {
  const std::string agent = env.Get("SSH_AUTH_SOCK");
  if (local && !agent.empty()) {
    request.set_ssh_agent_socket(agent);
    login.used = absl::StrCat("the ssh agent at ", agent);
  } else if (std::optional<DefaultKey> key = FindDefaultKey(env)) {
    request.set_ssh_private_key(std::move(key->contents));
    login.used = absl::StrCat("the key ", key->path);
  } else {
    login.used = "no key of this user: none without a passphrase was found in ~/.ssh";
  }
}

absl::Status FillContent(const DriverInfo& driver, const FlagSpec& spec, const std::string& path,
                         const Environment& env, machine::v1::Machine& machine) {
  DM_ASSIGN_OR_RETURN(std::string contents, ReadFlagFile(spec, path, env));
  OptionValue value;
  value.set_name(spec.content_option());
  const FlagSpec* target = FindSpec(driver, spec.content_option());
  if (target != nullptr && target->secret()) {
    value.set_secret_value(std::move(contents));
  } else {
    value.set_string_value(std::move(contents));
  }
  *machine.add_driver_options() = std::move(value);
  return absl::OkStatus();
}

void Append(const std::vector<std::string>& from,
            google::protobuf::RepeatedPtrField<std::string>& to) {
  for (const std::string& value : from) *to.Add() = value;
}

void FillSwarm(const ParsedArgs& args, machine::v1::SwarmOptions& swarm) {
  swarm.set_is_swarm(true);
  swarm.set_engine_mode(args.Bool("swarm-mode"));
  swarm.set_master(args.Bool("swarm-master"));
  swarm.set_discovery(args.String("swarm-discovery"));
  swarm.set_strategy(args.String("swarm-strategy"));
  swarm.set_image(args.String("swarm-image"));
  swarm.set_host(args.String("swarm-host"));
  swarm.set_address(args.String("swarm-addr"));
  Append(args.List("swarm-opt"), *swarm.mutable_arbitrary_flags());
  Append(args.List("swarm-join-opt"), *swarm.mutable_join_flags());
  swarm.set_experimental(args.Bool("swarm-experimental"));
}

absl::Status FillDuration(const ParsedArgs& args, absl::string_view flag,
                          absl::string_view examples, google::protobuf::Duration& duration) {
  const std::string text = args.String(flag);
  absl::Duration value;
  if (!absl::ParseDuration(text, &value) || value <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid value ", GoQuote(text), " for --", flag, ": for example ", examples));
  }
  duration.set_seconds(absl::ToInt64Seconds(value));
  duration.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(value % absl::Seconds(1))));
  return absl::OkStatus();
}

// Everything before "://" is the scheme; the rest is the discovery service's affair.
absl::Status CheckDiscovery(const std::string& discovery) {
  const size_t scheme = discovery.find("://");
  if (discovery.empty() || (scheme != std::string::npos && discovery.find(':') == scheme)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "Error parsing swarm discovery: Swarm Discovery URL was in the wrong format");
}

}  // namespace

std::vector<Flag> CommonCreateFlags(const std::vector<std::string>& drivers) {
  const auto list = FlagType::kList;
  const auto flag = FlagType::kBool;
  std::string driver_usage = "Driver to create machine with.";
  if (!drivers.empty()) {
    absl::StrAppend(&driver_usage, " Available drivers: ", absl::StrJoin(drivers, ", "));
  }
  return {
      {{"driver", "d"}, FlagType::kString, driver_usage, "none", {"MACHINE_DRIVER"}},
      {{"engine-install-url"},
       FlagType::kString,
       "Custom URL to use for engine installation",
       "",
       {"MACHINE_DOCKER_INSTALL_URL"}},
      {{"engine-opt"},
       list,
       "Specify arbitrary flags to include with the created engine in the form flag=value"},
      {{"engine-insecure-registry"},
       list,
       "Specify insecure registries to allow with the created engine"},
      {{"engine-registry-mirror"},
       list,
       "Specify registry mirrors to use",
       "",
       {"ENGINE_REGISTRY_MIRROR"}},
      {{"engine-label"}, list, "Specify labels for the created engine"},
      {{"engine-storage-driver"},
       FlagType::kString,
       "Specify a storage driver to use with the engine"},
      {{"engine-env"}, list, "Specify environment variables to set in the engine"},
      {{"swarm"}, flag, "Configure Machine with Swarm"},
      {{"swarm-image"},
       FlagType::kString,
       "Specify Docker image to use for Swarm",
       "",
       {"MACHINE_SWARM_IMAGE"}},
      {{"swarm-master"}, flag, "Configure Machine to be a Swarm master"},
      {{"swarm-discovery"}, FlagType::kString, "Discovery service to use with Swarm"},
      {{"swarm-strategy"},
       FlagType::kString,
       "Define a default scheduling strategy for Swarm",
       "spread"},
      {{"swarm-opt"},
       list,
       "Define arbitrary flags for Swarm master (can be provided multiple times)"},
      {{"swarm-join-opt"},
       list,
       "Define arbitrary flags for Swarm join (can be provided multiple times)"},
      {{"swarm-host"},
       FlagType::kString,
       "ip/socket to listen on for Swarm master",
       "tcp://0.0.0.0:3376"},
      {{"swarm-addr"},
       FlagType::kString,
       "addr to advertise for Swarm (default: detect and use the machine IP)"},
      {{"swarm-experimental"}, flag, "Enable Swarm experimental features"},
      {{"swarm-mode"},
       flag,
       "Use the engine's own swarm: begin one, or with --swarm-discovery machine://NAME join that "
       "of "
       "a machine, as a manager with --swarm-master"},
      {{"tls-san"}, list, "Support extra SANs for TLS certs"},
      {{"server-cert-lifetime"},
       FlagType::kString,
       "How long the engine's certificate is good, for example 720h; it is renewed in time "
       "(default: "
       "824 days)"},
      {{"skip-provision"}, flag, "Make the machine and install nothing on it"},
      {{"context"}, flag, "Write a context of the docker command for the machine, too"},
      QuietFlag(),
      {{"credential"},
       FlagType::kString,
       "Take the driver's options that are not given here from this credential, whatever the "
       "environment says (docker-machine credential)"},
      {{"on-failure"},
       FlagType::kString,
       "What becomes of a machine whose creation fails: keep or rollback",
       "keep",
       {},
       {"keep", "rollback"}},
      {{"ssh-timeout"},
       FlagType::kString,
       "How long to wait for SSH, for example 90s or 5m (default: the driver's own)"},
  };
}

std::vector<Flag> DriverFlags(const DriverInfo& driver) {
  std::vector<Flag> flags;
  for (const FlagSpec& spec : driver.flags()) {
    Flag flag;
    flag.names.push_back(spec.name());
    for (const std::string& alias : spec.aliases()) flag.names.push_back(alias);
    flag.type = TypeOf(spec.type());
    flag.usage = UsageOf(spec);
    flag.default_value = TextOf(spec.default_value());
    flag.env_vars.assign(spec.env_vars().begin(), spec.env_vars().end());
    flag.values.assign(spec.allowed_values().begin(), spec.allowed_values().end());
    flags.push_back(std::move(flag));
  }
  std::sort(flags.begin(), flags.end(),
            [](const Flag& a, const Flag& b) { return a.names[0] < b.names[0]; });
  return flags;
}

absl::Status FillCommonOptions(const ParsedArgs& args, machine::v1::CreateMachineRequest& request) {
  DM_RETURN_IF_ERROR(CheckDiscovery(args.String("swarm-discovery")));
  machine::v1::Machine& machine = *request.mutable_machine();
  machine::v1::EngineOptions& engine = *machine.mutable_engine();
  engine.set_install_url(args.String("engine-install-url"));
  engine.set_storage_driver(args.String("engine-storage-driver"));
  Append(args.List("engine-opt"), *engine.mutable_arbitrary_flags());
  Append(args.List("engine-label"), *engine.mutable_labels());
  Append(args.List("engine-env"), *engine.mutable_env());
  Append(args.List("engine-insecure-registry"), *engine.mutable_insecure_registries());
  Append(args.List("engine-registry-mirror"), *engine.mutable_registry_mirrors());
  Append(args.List("tls-san"), *machine.mutable_auth()->mutable_server_cert_sans());
  request.set_skip_provision(args.Bool("skip-provision"));
  if (args.Bool("swarm") || args.Bool("swarm-master") || args.Bool("swarm-mode")) {
    FillSwarm(args, *machine.mutable_swarm());
  }

  // Left unset when it was not given: who cancels a create then gets the machine removed.
  const std::string on_failure = args.String("on-failure");
  if (on_failure == "rollback") {
    request.set_on_failure(machine::v1::FAILURE_POLICY_ROLLBACK);
  } else if (on_failure != "keep") {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid value ", GoQuote(on_failure), " for --on-failure: keep or rollback"));
  } else if (args.IsSet("on-failure")) {
    request.set_on_failure(machine::v1::FAILURE_POLICY_KEEP);
  }
  if (!args.String("server-cert-lifetime").empty()) {
    DM_RETURN_IF_ERROR(FillDuration(args, "server-cert-lifetime", "720h or 90m",
                                    *machine.mutable_auth()->mutable_server_cert_lifetime()));
  }
  if (args.String("ssh-timeout").empty()) return absl::OkStatus();
  return FillDuration(args, "ssh-timeout", "90s or 5m", *request.mutable_ssh_timeout());
}

absl::Status FillGivenOptions(const DriverInfo& driver, const ParsedArgs& args,
                              const Environment& env, machine::v1::Machine& machine) {
  for (const FlagSpec& spec : driver.flags()) {
    if (!args.IsSet(spec.name())) continue;
    if (!spec.content_option().empty()) {
      DM_RETURN_IF_ERROR(FillContent(driver, spec, args.String(spec.name()), env, machine));
    }
    *machine.add_driver_options() = ValueOf(spec, args);
  }
  return absl::OkStatus();
}

absl::Status FillDriverOptions(const DriverInfo& driver, const ParsedArgs& args,
                               const Environment& env, bool local,
                               const std::set<std::string>& credential_options,
                               machine::v1::CreateMachineRequest& request, SshLogin& login) {
  machine::v1::Machine& machine = *request.mutable_machine();
  machine.set_driver(driver.name());
  bool takes_key = false;
  for (const FlagSpec& spec : driver.flags()) {
    takes_key |= spec.ssh_private_key();
    if (args.IsSet(spec.name())) {
      if (!spec.ssh_private_key()) continue;
      DM_RETURN_IF_ERROR(FillKey(spec, args.String(spec.name()), env, request, login));
    } else if (spec.required() && !credential_options.contains(spec.name())) {
      return MissingFlag(driver, spec);
    }
  }
  DM_RETURN_IF_ERROR(FillGivenOptions(driver, args, env, machine));
  if (takes_key && request.ssh_private_key().empty()) FillDefaultKey(env, local, request, login);
  return absl::OkStatus();
}

}  // namespace machine::cli
