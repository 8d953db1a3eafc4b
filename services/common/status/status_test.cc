#include "services/common/status/status.h"

#include <gtest/gtest.h>

#include "services/common/status/grpc_status.h"

namespace machine::common {
namespace {

absl::Status NotFound() {
  return Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_MACHINE_NOT_FOUND,
               "no machine \"dev\"", {{"machine", "dev"}});
}

TEST(StatusTest, ErrorCarriesItsReasonWithoutTheEnumPrefix) {
  const google::rpc::Status proto = ToRpcStatus(NotFound());
  google::rpc::ErrorInfo info;
  ASSERT_EQ(proto.details_size(), 1);
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "MACHINE_NOT_FOUND");
  EXPECT_EQ(info.domain(), "machine");
  EXPECT_EQ(info.metadata().at("machine"), "dev");
}

TEST(StatusTest, AnnotatePutsContextBeforeTheCauseAndKeepsTheReason) {
  const absl::Status status = Annotate(NotFound(), "starting");
  EXPECT_EQ(status.message(), "starting: no machine \"dev\"");
  EXPECT_EQ(ReasonOf(status), machine::v1::ERROR_REASON_MACHINE_NOT_FOUND);
  EXPECT_EQ(ErrorMetadataOf(status, "machine"), "dev");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "starting").ok());
}

TEST(StatusTest, GoesOverTheWireAndBackWithoutLoss) {
  const absl::Status sent = WithRetryDelay(NotFound(), absl::Milliseconds(1500));
  const absl::Status received = FromGrpcStatus(ToGrpcStatus(sent));
  EXPECT_EQ(received, sent);
  EXPECT_EQ(RetryDelayOf(received), absl::Milliseconds(1500));
  EXPECT_TRUE(FromGrpcStatus(ToGrpcStatus(absl::OkStatus())).ok());
}

TEST(StatusTest, AForeignServersErrorWithoutDetailsIsRead) {
  const absl::Status status = FromGrpcStatus({grpc::StatusCode::UNAVAILABLE, "down"});
  EXPECT_EQ(status, absl::UnavailableError("down"));
  EXPECT_EQ(ReasonOf(status), machine::v1::ERROR_REASON_UNSPECIFIED);
}

TEST(StatusTest, InvalidFieldNamesTheField) {
  const google::rpc::Status proto = ToRpcStatus(InvalidField("machine.driver", "is required"));
  google::rpc::BadRequest bad_request;
  bool found = false;
  for (const auto& any : proto.details()) found = found || any.UnpackTo(&bad_request);
  ASSERT_TRUE(found);
  EXPECT_EQ(bad_request.field_violations(0).field(), "machine.driver");
}

absl::StatusOr<int> Twice(absl::StatusOr<int> value) {
  DM_ASSIGN_OR_RETURN(const int number, value);
  DM_RETURN_IF_ERROR(number < 0 ? absl::OutOfRangeError("negative") : absl::OkStatus());
  return 2 * number;
}

TEST(StatusTest, MacrosReturnEarly) {
  EXPECT_EQ(Twice(4).value(), 8);
  EXPECT_EQ(Twice(-1).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Twice(absl::AbortedError("x")).status().code(), absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace machine::common
