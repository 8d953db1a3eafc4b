#include "drivers/sdk/test_machine.h"

#include <utility>

#include "services/common/status/status.h"

namespace machine::driver {
namespace {

machine::v1::OptionValue Named(absl::string_view name) {
  machine::v1::OptionValue option;
  option.set_name(std::string(name));
  return option;
}

}  // namespace

std::unique_ptr<DriverCall> MakeCall(absl::string_view uid, CallRecord& record,
                                     absl::Duration timeout,
                                     std::shared_ptr<common::Cancellation> cancellation) {
  ::driver::v1::CallContext context;
  context.set_machine_uid(std::string(uid));
  context.set_orchestrator_id(std::string(kTestOrchestrator));
  common::CallScope::Sink sink;
  sink.progress = [&record](machine::v1::Progress progress) {
    record.progress.push_back(progress.message());
  };
  sink.log = [&record](machine::v1::LogLine line) { record.log.push_back(line.text()); };
  return std::make_unique<DriverCall>(
      absl::Now() + timeout, std::move(cancellation), std::move(sink), context,
      [&record](std::string data) { record.checkpoints.push_back(std::move(data)); });
}

machine::v1::OptionValue Option(absl::string_view name, absl::string_view value) {
  machine::v1::OptionValue option = Named(name);
  option.set_string_value(std::string(value));
  return option;
}

machine::v1::OptionValue Option(absl::string_view name, int64_t value) {
  machine::v1::OptionValue option = Named(name);
  option.set_int_value(value);
  return option;
}

machine::v1::OptionValue Option(absl::string_view name, const std::vector<std::string>& values) {
  machine::v1::OptionValue option = Named(name);
  for (const std::string& value : values) option.mutable_list_value()->add_values(value);
  return option;
}

machine::v1::OptionValue BoolOption(absl::string_view name, bool value) {
  machine::v1::OptionValue option = Named(name);
  option.set_bool_value(value);
  return option;
}

machine::v1::OptionValue SecretOption(absl::string_view name, absl::string_view value) {
  machine::v1::OptionValue option = Named(name);
  option.set_secret_value(std::string(value));
  return option;
}

absl::StatusOr<Options> MakeOptions(const Driver& driver,
                                    const std::vector<machine::v1::OptionValue>& values) {
  DM_ASSIGN_OR_RETURN(Options options, driver.flags().Complete(driver.info().name, values,
                                                               Flags::Strictness::kCreate));
  DM_RETURN_IF_ERROR(driver.Validate(options));
  return options;
}

}  // namespace machine::driver
