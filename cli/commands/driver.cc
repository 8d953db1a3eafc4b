#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/driver_enrolment.h"
#include "cli/output/data_format.h"
#include "cli/output/table.h"
#include "cli/output/time_text.h"
#include "machine/v1/driver_identities.grpc.pb.h"
#include "machine/v1/drivers.grpc.pb.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::DriverIdentities;
using machine::v1::DriverIdentity;
using machine::v1::DriverInfo;
using machine::v1::Drivers;

constexpr int64_t kMaxPemBytes = 1 << 20;
constexpr int kMaxPort = 65535;

absl::string_view StateWord(const DriverInfo& driver) {
  switch (driver.state()) {
    case DriverInfo::STARTING:
      return "starting";
    case DriverInfo::READY:
      return "ready";
    case DriverInfo::BACKOFF:
      return driver.address().empty() ? "crashed" : "unreachable";
    case DriverInfo::BROKEN:
      return "broken";
    default:
      return "idle";
  }
}

// Why the driver cannot be used, or what went wrong with it last, or soon will.
std::string Trouble(const DriverInfo& driver, const DriverIdentity& identity) {
  if (!driver.unsupported_reason().empty()) return driver.unsupported_reason();
  if (!driver.last_error().message().empty()) return driver.last_error().message();
  if (!identity.due()) return identity.error();
  return absl::StrCat("its certificate ends at ", IsoTime(identity.expire_time()), ": renew it",
                      identity.error().empty() ? "" : absl::StrCat(" (", identity.error(), ")"));
}

// Of registered drivers, by name; none from an orchestrator that does not tell.
absl::StatusOr<std::map<std::string, DriverIdentity>> Identities(CommandContext& context) {
  const auto answer = context.orchestrator.Call<DriverIdentities>(
      &DriverIdentities::Stub::ListDriverIdentities, machine::v1::ListDriverIdentitiesRequest());
  std::map<std::string, DriverIdentity> identities;
  // An older one; PERMISSION_DENIED where it is shared.
  if (absl::IsUnimplemented(answer.status()) || absl::IsPermissionDenied(answer.status())) {
    return identities;
  }
  DM_RETURN_IF_ERROR(answer.status());
  for (const DriverIdentity& identity : answer->identities()) {
    identities[identity.driver()] = identity;
  }
  return identities;
}

absl::Status List(CommandContext& context, std::optional<DataFormat> format) {
  auto data = nlohmann::ordered_json::array();
  std::string text = "NAME\tVERSION\tSTATE\tPID\tRESTARTS\tADDRESS\tCERTIFICATE ENDS\tERRORS\n";
  DM_ASSIGN_OR_RETURN(auto identities, Identities(context));
  machine::v1::ListDriversRequest request;
  do {
    DM_ASSIGN_OR_RETURN(const machine::v1::ListDriversResponse page,
                        context.orchestrator.Call<Drivers>(&Drivers::Stub::ListDrivers, request));
    for (const DriverInfo& driver : page.drivers()) {
      const std::string state(StateWord(driver));
      const DriverIdentity& identity = identities[driver.name()];
      const std::string expire_time = IsoTime(identity.expire_time());
      const std::string trouble = Trouble(driver, identity);
      data.push_back({{"name", driver.name()},
                      {"version", driver.version()},
                      {"state", state},
                      {"pid", driver.pid()},
                      {"restarts", driver.restarts()},
                      {"address", driver.address()},
                      {"certificate_expire_time", expire_time},
                      {"certificate_renewed_automatically", identity.renewed_automatically()},
                      {"error", trouble}});
      absl::StrAppend(&text, driver.name(), "\t", driver.version(), "\t", state, "\t",
                      driver.pid() == 0 ? "" : absl::StrCat(driver.pid()), "\t", driver.restarts(),
                      "\t", driver.address(), "\t", expire_time, "\t",
                      trouble.substr(0, trouble.find('\n')), "\n");
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  context.console.Out(format.has_value() ? Serialize(*format, data) : AlignColumns(text));
  return absl::OkStatus();
}

absl::Status Register(CommandContext& context, const ParsedArgs& args, const std::string& name,
                      const std::string& address) {
  machine::v1::RegisterDriverRequest request;
  request.set_name(name);
  request.set_address(address);
  const std::pair<const char*, std::string*> files[] = {{"ca", request.mutable_ca_pem()},
                                                        {"cert", request.mutable_client_cert_pem()},
                                                        {"key", request.mutable_client_key_pem()}};
  for (const auto& [flag, pem] : files) {
    const std::string path = args.String(flag);
    if (path.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--", flag, " is missing: the driver is called with TLS, by --ca, --cert and --key"));
    }
    absl::StatusOr<std::string> contents = common::ReadFile(path, kMaxPemBytes);
    if (!contents.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", flag, ": ", contents.status().message()));
    }
    *pem = *std::move(contents);
  }
  DM_ASSIGN_OR_RETURN(const DriverInfo driver,
                      context.orchestrator.Call<Drivers>(&Drivers::Stub::RegisterDriver, request));
  context.Say(absl::StrCat("Registered the driver \"", name, "\", version ", driver.version(),
                           ". To use it, run: docker-machine create -d ", name, " NAME\n"));
  return absl::OkStatus();
}

// Names become parts of files and units on the host.
absl::Status CheckWord(absl::string_view what, absl::string_view word) {
  const bool plain = std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
  if (!word.empty() && plain && word.front() != '-') return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      what, " \"", word, "\": only letters, digits, '-' and '_' are possible, the first no '-'"));
}

absl::StatusOr<DriverHost> HostOf(const ParsedArgs& args) {
  DM_ASSIGN_OR_RETURN(DriverHost host, DriverHost::Parse(args.String("host")));
  host.identity = args.String("identity");
  return host;
}

absl::Status Enrol(CommandContext& context, const ParsedArgs& args, const std::string& name) {
  DriverEnrolment enrolment;
  enrolment.name = name;
  enrolment.driver = args.String("driver").empty() ? name : args.String("driver");
  DM_RETURN_IF_ERROR(CheckWord("the name", name));
  DM_RETURN_IF_ERROR(CheckWord("--driver", enrolment.driver));
  DM_ASSIGN_OR_RETURN(enrolment.host, HostOf(args));
  enrolment.address = args.String("address").empty() ? enrolment.host.host : args.String("address");
  enrolment.port = args.Int("port");
  if (enrolment.port < 1 || enrolment.port > kMaxPort) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid value \"", enrolment.port, "\" for --port: a port is expected"));
  }
  enrolment.program = args.String("program");
  return EnrolDriver(context, enrolment);
}

absl::Status Remove(CommandContext& context, const ParsedArgs& args, const std::string& name) {
  std::optional<DriverHost> host;
  if (!args.String("host").empty()) {
    DM_RETURN_IF_ERROR(CheckWord("the name", name));
    DM_ASSIGN_OR_RETURN(host, HostOf(args));
  }
  machine::v1::UnregisterDriverRequest request;
  request.set_name(name);
  const absl::Status forgotten =
      context.orchestrator.Call<Drivers>(&Drivers::Stub::UnregisterDriver, request).status();
  // An earlier rm may have come no further than this.
  if (!(host.has_value() && absl::IsNotFound(forgotten))) DM_RETURN_IF_ERROR(forgotten);
  context.Say(absl::StrCat("Forgot the driver \"", name, "\".\n"));
  return host.has_value() ? RemoveDriverFrom(context, *host, name) : absl::OkStatus();
}

class DriverCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {
        .name = "driver",
        .summary = "List drivers, and register those that run on other hosts",
        .description = "Arguments are ls, enroll NAME, register NAME HOST:PORT, or rm NAME.",
        .flags = {{.names = {"ca"}, .usage = "File with the authority of the driver's certificate"},
                  {.names = {"cert"}, .usage = "File with the certificate to show to the driver"},
                  {.names = {"key"}, .usage = "File with the key of that certificate"},
                  {.names = {"host"},
                   .usage = "With enroll and rm: the driver's host, as ssh://USER@HOST[:PORT]"},
                  {.names = {"identity", "i"},
                   .usage = "With --host: file with the private key to log in with"},
                  {.names = {"driver", "d"},
                   .usage = "With enroll: which driver it is, if not the one called NAME"},
                  {.names = {"address"},
                   .usage = "With enroll: host by which the orchestrator reaches it, if not that "
                            "of --host"},
                  {.names = {"port"},
                   .type = FlagType::kInt,
                   .usage = "With enroll: port on which it serves",
                   .default_value = "7700"},
                  {.names = {"program"},
                   .usage = "With enroll: the driver's program, if not the one installed here"},
                  OutputFlag(),
                  QuietFlag()},
        .details =
            "A driver may run close to its hypervisor. enroll installs it on that host over ssh, "
            "as root\nor by sudo: its program, a systemd unit, and a certificate of the "
            "orchestrator's, which renews\nit in time. Again, it replaces the program, and the "
            "certificate at once. Nobody but this\norchestrator can use the driver. rm --host "
            "removes all of it.\n\nWithout ssh, run\n"
            "  machine-driver-NAME --listen HOST:PORT --tls-cert FILE --tls-key FILE --tls-ca "
            "FILE\n"
            "there and register it here under any name; the same driver on several hosts under "
            "several names.\nIt is then used like one that is installed. The key is kept sealed.",
        .examples = {{"docker-machine driver ls", "what can be used, and how it does"},
                     {"docker-machine driver enroll lab --driver qemu --host ssh://root@lab1",
                      "create -d lab makes virtual machines on lab1"},
                     {"docker-machine driver rm lab --host ssh://root@lab1", "all of it goes"},
                     {"docker-machine driver register lab lab.example.org:7700 --ca ca.pem "
                      "--cert cert.pem --key key.pem",
                      "create -d lab uses the driver on that host"},
                     {"docker-machine driver rm lab", "forgets it once no machine uses it"}}};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    DM_ASSIGN_OR_RETURN(const std::optional<DataFormat> format, DataFormatOf(args));
    const std::vector<std::string>& words = args.operands;
    if (words.size() == 1 && words[0] == "ls") {
      DM_RETURN_IF_ERROR(List(context, format));
    } else if (words.size() == 3 && words[0] == "register") {
      DM_RETURN_IF_ERROR(Register(context, args, words[1], words[2]));
    } else if (words.size() == 2 && words[0] == "rm") {
      DM_RETURN_IF_ERROR(Remove(context, args, words[1]));
    } else if (words.size() == 2 && words[0] == "enroll") {
      DM_RETURN_IF_ERROR(Enrol(context, args, words[1]));
    } else {
      return ErrorWithHelp(context, *this,
                           "Error: Expected ls, enroll NAME, register NAME HOST:PORT, or rm NAME");
    }
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeDriverCommand() { return std::make_unique<DriverCommand>(); }

}  // namespace machine::cli
