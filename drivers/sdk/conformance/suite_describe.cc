// What a driver says about itself: handshake, flags, options.
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/conformance/suite.h"
#include "re2/re2.h"
#include "services/common/status/status.h"

namespace machine::driver::conformance {
namespace {

using ::driver::v1::HandshakeRequest;
using ::driver::v1::ValidateOptionsRequest;
using ::driver::v1::ValidateOptionsResponse;
using machine::v1::FlagSpec;
using machine::v1::OptionValue;

using Stub = ::driver::v1::Driver::Stub;

HandshakeRequest HandshakeOf(int min_api, int max_api) {
  HandshakeRequest request;
  request.set_min_api(min_api);
  request.set_max_api(max_api);
  request.set_orchestrator_id(NewUid());
  request.set_orchestrator_version("conformance");
  return request;
}

ValidateOptionsRequest ValidationOf(const std::vector<OptionValue>& options) {
  ValidateOptionsRequest request;
  for (const OptionValue& option : options) *request.add_options() = option;
  return request;
}

absl::Status CheckFlag(const FlagSpec& flag, std::set<std::string>& names) {
  static const RE2 kName("[a-z0-9]+(-[a-z0-9]+)*");
  static const RE2 kVariable("[A-Z][A-Z0-9_]*");
  const std::string prefix = absl::StrCat("--", flag.name(), " ");
  DM_RETURN_IF_ERROR(Expect(RE2::FullMatch(flag.name(), kName), prefix + "is a bad name"));
  DM_RETURN_IF_ERROR(Expect(names.insert(flag.name()).second, prefix + "exists twice"));
  for (const std::string& alias : flag.aliases()) {
    DM_RETURN_IF_ERROR(Expect(RE2::FullMatch(alias, kName) && names.insert(alias).second,
                              absl::StrCat(prefix, "has the bad alias ", alias)));
  }
  DM_RETURN_IF_ERROR(Expect(flag.type() != FlagSpec::TYPE_UNSPECIFIED, prefix + "has no type"));
  DM_RETURN_IF_ERROR(Expect(!flag.usage().empty() && !absl::EndsWith(flag.usage(), "."),
                            prefix + "has no usage, or one with a full stop"));
  for (const std::string& variable : flag.env_vars()) {
    DM_RETURN_IF_ERROR(Expect(RE2::FullMatch(variable, kVariable),
                              absl::StrCat(prefix, "has the bad variable ", variable)));
  }
  DM_RETURN_IF_ERROR(Expect(!(flag.required() && flag.has_default_value()),
                            prefix + "is required and has a default"));
  DM_RETURN_IF_ERROR(
      Expect(!(flag.secret() && flag.has_default_value()), prefix + "is secret and has a default"));
  return Expect(!flag.secret() || flag.type() == FlagSpec::STRING,
                prefix + "is secret and not a text");
}

}  // namespace

absl::Status Suite::Handshakes() {
  DM_ASSIGN_OR_RETURN(handshake_, client_.Call(&Stub::Handshake, HandshakeOf(1, 1)));
  DM_RETURN_IF_ERROR(Expect(handshake_.api() == 1, "the API is outside the range offered"));
  DM_RETURN_IF_ERROR(Expect(!handshake_.driver_name().empty(), "the name is empty"));
  DM_RETURN_IF_ERROR(Expect(!handshake_.driver_version().empty(), "the version is empty"));
  DM_RETURN_IF_ERROR(Expect(handshake_.state_version() >= 1, "the state version is below 1"));
  DM_RETURN_IF_ERROR(
      Expect(handshake_.max_concurrent_calls() >= 1 && handshake_.max_concurrent_calls() <= 256,
             "max_concurrent_calls is not from 1 to 256"));
  std::set<int> capabilities;
  for (const int capability : handshake_.capabilities()) {
    DM_RETURN_IF_ERROR(Expect(capability != 0 && capabilities.insert(capability).second,
                              "a capability is unspecified or given twice"));
  }
  return absl::OkStatus();
}

absl::Status Suite::RefusesOtherApis() {
  const absl::Status status = client_.Call(&Stub::Handshake, HandshakeOf(1000, 1001)).status();
  DM_RETURN_IF_ERROR(ExpectError(status, absl::StatusCode::kFailedPrecondition,
                                 machine::v1::ERROR_REASON_DRIVER_API_MISMATCH));
  return Expect(!common::ErrorMetadataOf(status, "driver_max_api").empty() &&
                    common::ErrorMetadataOf(status, "orchestrator_max_api") == "1001",
                "both ranges must be in the metadata");
}

absl::Status Suite::DescribesItsFlags() {
  DM_ASSIGN_OR_RETURN(const auto response, client_.Call(&Stub::GetCreateFlags, {}));
  std::set<std::string> names;
  for (const FlagSpec& flag : response.flags()) {
    flags_.push_back(flag);
    DM_RETURN_IF_ERROR(CheckFlag(flag, names));
  }
  for (const FlagSpec& flag : flags_) {
    DM_RETURN_IF_ERROR(
        Expect(flag.content_option().empty() || names.count(flag.content_option()) == 1,
               absl::StrCat("--", flag.name(), " sends its content to an unknown option")));
  }
  DM_ASSIGN_OR_RETURN(const auto again, client_.Call(&Stub::GetCreateFlags, {}));
  return Expect(response.SerializeAsString() == again.SerializeAsString(),
                "the second answer differs from the first");
}

absl::Status Suite::CompletesOptions() {
  DM_ASSIGN_OR_RETURN(const ValidateOptionsResponse response,
                      client_.Call(&Stub::ValidateOptions, ValidationOf(options_.options)));
  normalized_.assign(response.normalized_options().begin(), response.normalized_options().end());
  for (const FlagSpec& flag : flags_) {
    if (!flag.has_default_value()) continue;
    bool filled = false;
    for (const OptionValue& option : normalized_) filled = filled || option.name() == flag.name();
    DM_RETURN_IF_ERROR(
        Expect(filled, absl::StrCat("the default of --", flag.name(), " was not filled in")));
  }
  DM_ASSIGN_OR_RETURN(const ValidateOptionsResponse again,
                      client_.Call(&Stub::ValidateOptions, ValidationOf(normalized_)));
  return Expect(response.SerializeAsString() == again.SerializeAsString(),
                "completing completed options changes them");
}

absl::Status Suite::RefusesUnknownOptions() {
  std::vector<OptionValue> options = options_.options;
  options.emplace_back().set_name("conformance-unknown");
  options.back().set_string_value("x");
  const absl::Status status = client_.Call(&Stub::ValidateOptions, ValidationOf(options)).status();
  DM_RETURN_IF_ERROR(ExpectError(status, absl::StatusCode::kInvalidArgument,
                                 machine::v1::ERROR_REASON_UNKNOWN_DRIVER_OPTION));
  return Expect(absl::StrContains(status.message(), "--conformance-unknown"),
                absl::StrCat("the message does not name the flag: ", status.message()));
}

absl::Status Suite::RefusesWrongTypes() {
  for (const FlagSpec& flag : flags_) {
    std::vector<OptionValue> options = Without(flag.name());
    options.emplace_back().set_name(flag.name());
    if (flag.type() == FlagSpec::BOOL) {
      options.back().set_int_value(7);
    } else {
      options.back().set_bool_value(true);
    }
    const absl::Status status =
        client_.Call(&Stub::ValidateOptions, ValidationOf(options)).status();
    DM_RETURN_IF_ERROR(common::Annotate(ExpectError(status, absl::StatusCode::kInvalidArgument,
                                                    machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE),
                                        flag.name()));
    DM_RETURN_IF_ERROR(
        Expect(absl::StrContains(status.message(), "--" + flag.name()),
               absl::StrCat("the message does not name the flag: ", status.message())));
  }
  return absl::OkStatus();
}

absl::Status Suite::RefusesMissingOptions() {
  for (const FlagSpec& flag : flags_) {
    if (!flag.required()) continue;
    const absl::Status status =
        client_.Call(&Stub::ValidateOptions, ValidationOf(Without(flag.name()))).status();
    DM_RETURN_IF_ERROR(common::Annotate(ExpectError(status, absl::StatusCode::kInvalidArgument,
                                                    machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE),
                                        flag.name()));
    bool named = absl::StrContains(status.message(), "--" + flag.name());
    for (const std::string& variable : flag.env_vars()) {
      named = named && absl::StrContains(status.message(), variable);
    }
    DM_RETURN_IF_ERROR(Expect(named, absl::StrCat("the message does not name the flag and its ",
                                                  "variables: ", status.message())));
  }
  return absl::OkStatus();
}

}  // namespace machine::driver::conformance
