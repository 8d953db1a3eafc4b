#include "drivers/sdk/conformance/driver_client.h"

#include "services/common/status/status.h"

namespace machine::driver::conformance {

void DriverClient::Hear(const absl::Status& status) {
  if (!status.ok()) absl::StrAppend(&heard_, common::ToRpcStatus(status).ShortDebugString(), "\n");
}

void DriverClient::Hear(const ActionEvent& event) {
  absl::StrAppend(&heard_, event.update().progress().message(), "\n", event.update().log().text(),
                  "\n");
}

void DriverClient::Take(const ActionEvent& event, ActionOutcome& outcome) {
  if (outcome.result.has_value()) {
    outcome.order = absl::InternalError("an event came after the result");
  }
  if (event.has_result()) {
    outcome.result = event.result();
    if (event.result().has_driver_state()) outcome.state = event.result().driver_state();
  } else if (event.update().has_checkpoint()) {
    outcome.state = event.update().checkpoint();
  } else if (event.update().kind_case() == ::driver::v1::Update::KIND_NOT_SET) {
    outcome.order = absl::InternalError("an event without content");
  }
}

}  // namespace machine::driver::conformance
