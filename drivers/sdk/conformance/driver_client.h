// Calls a driver and remembers everything it said.
#ifndef DRIVERS_SDK_CONFORMANCE_DRIVER_CLIENT_H_
#define DRIVERS_SDK_CONFORMANCE_DRIVER_CLIENT_H_

#include <google/protobuf/message.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "driver/v1/driver.grpc.pb.h"
#include "services/common/rpc/channel.h"
#include "services/common/status/grpc_status.h"

namespace machine::driver::conformance {

/// How an action ended.
struct ActionOutcome {
  absl::Status status;
  /// The last event, if it was a result.
  std::optional<::driver::v1::Observation> result;
  /// The state to store: of the result, else of the last checkpoint.
  std::optional<::driver::v1::DriverState> state;
  /// The stream kept to: updates, then one result exactly when the status is OK.
  absl::Status order;
};

/// Not thread-safe.
class DriverClient {
 public:
  using Stub = ::driver::v1::Driver::Stub;
  using ActionEvent = ::driver::v1::ActionEvent;

  DriverClient(common::Channel channel, absl::Duration timeout)
      : channel_(std::move(channel)),
        stub_(::driver::v1::Driver::NewStub(channel_.grpc())),
        timeout_(timeout) {}

  /// A unary call: `Call(&Stub::Inspect, request)`.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request) {
    grpc::ClientContext context;
    channel_.Prepare(context, timeout_);
    Response response;
    const absl::Status status =
        common::FromGrpcStatus(((*stub_).*method)(&context, request, &response));
    Hear(status);
    if (!status.ok()) return status;
    return response;
  }

  /// A call that streams events and ends with an observation: `Act(&Stub::Create, request)`.
  /// `cancel_after_events` ends it from here when that many have come.
  template <typename Request>
  ActionOutcome Act(std::unique_ptr<grpc::ClientReader<ActionEvent>> (Stub::*method)(
                        grpc::ClientContext*, const Request&),
                    const Request& request, int cancel_after_events = 0) {
    grpc::ClientContext context;
    channel_.Prepare(context, timeout_);
    ActionOutcome outcome;
    const auto reader = ((*stub_).*method)(&context, request);
    ActionEvent event;
    for (int count = 1; reader->Read(&event); ++count) {
      Hear(event);
      Take(event, outcome);
      if (count == cancel_after_events) context.TryCancel();
    }
    outcome.status = common::FromGrpcStatus(reader->Finish());
    Hear(outcome.status);
    if (outcome.order.ok() && outcome.status.ok() != outcome.result.has_value()) {
      outcome.order = absl::InternalError(
          absl::StrCat(outcome.result.has_value() ? "a result, but " : "no result, but ",
                       outcome.status.ToString()));
    }
    return outcome;
  }

  /// A call that streams messages to its end.
  template <typename Request, typename Response>
  absl::StatusOr<std::vector<Response>> Collect(
      std::unique_ptr<grpc::ClientReader<Response>> (Stub::*method)(grpc::ClientContext*,
                                                                    const Request&),
      const Request& request) {
    grpc::ClientContext context;
    channel_.Prepare(context, timeout_);
    const auto reader = ((*stub_).*method)(&context, request);
    std::vector<Response> responses;
    for (Response response; reader->Read(&response);) responses.push_back(response);
    const absl::Status status = common::FromGrpcStatus(reader->Finish());
    Hear(status);
    if (!status.ok()) return status;
    return responses;
  }

  /// All messages to people so far: progress, log lines, errors with their details.
  const std::string& heard() const { return heard_; }

 private:
  void Hear(const absl::Status& status);
  void Hear(const ActionEvent& event);
  static void Take(const ActionEvent& event, ActionOutcome& outcome);

  const common::Channel channel_;
  const std::unique_ptr<Stub> stub_;
  const absl::Duration timeout_;
  std::string heard_;
};

}  // namespace machine::driver::conformance

#endif  // DRIVERS_SDK_CONFORMANCE_DRIVER_CLIENT_H_
