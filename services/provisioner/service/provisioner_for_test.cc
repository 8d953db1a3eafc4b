#include "services/provisioner/service/provisioner_for_test.h"

#include <stdlib.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/clock/clock.h"
#include "services/common/status/grpc_status.h"

namespace machine::provisioner {

using ::provisioner::v1::HostInfo;
using ::provisioner::v1::ProvisionEvent;
using ::provisioner::v1::ProvisionRequest;
using ::provisioner::v1::WaitForSshRequest;

ProvisionerForTest::ProvisionerForTest(ConnectionPool::Options pool_options)
    : pool_(executor_, metrics_, pool_options, common::Clock::Real()) {
  char dir[] = "/tmp/prov.XXXXXX";
  if (mkdtemp(dir) == nullptr) abort();
  dir_ = dir;
  common::RpcServerOptions options;
  options.address = absl::StrCat("unix:", dir_, "/s");
  options.services = {&service_};
  auto server = common::RpcServer::Start(options);
  if (!server.ok()) abort();
  server_ = *std::move(server);
  channel_ = common::Channel::Local(server_->address(), "");
  stub_ = ::provisioner::v1::Provisioner::NewStub(channel_->grpc());
}

ProvisionerForTest::~ProvisionerForTest() {
  calls_.Drain(absl::Seconds(10));
  server_->Shutdown(absl::Seconds(5));
  unlink(absl::StrCat(dir_, "/s").c_str());
  rmdir(dir_.c_str());
}

std::unique_ptr<grpc::ClientContext> ProvisionerForTest::Context() const {
  auto context = std::make_unique<grpc::ClientContext>();
  channel_->Prepare(*context, absl::Minutes(10));
  return context;
}

template <typename Request>
StreamOutcome ProvisionerForTest::Collect(StartStream<Request> start, const Request& request) {
  StreamOutcome outcome;
  const absl::Time begin = absl::Now();
  const auto context = Context();
  const auto reader = (stub_.get()->*start)(context.get(), request);
  ProvisionEvent event;
  while (reader->Read(&event)) {
    if (event.has_progress()) outcome.progress.push_back(event.progress().message());
    if (event.has_log()) outcome.log.push_back(event.log().text());
    if (event.has_result()) outcome.info = event.result();
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) outcome.info = common::FromGrpcStatus(status);
  outcome.took = absl::Now() - begin;
  return outcome;
}

StreamOutcome ProvisionerForTest::WaitForSsh(const WaitForSshRequest& request) {
  return Collect<WaitForSshRequest>(&Stub::WaitForSsh, request);
}

StreamOutcome ProvisionerForTest::Provision(const ProvisionRequest& request) {
  return Collect<ProvisionRequest>(&Stub::Provision, request);
}

StreamOutcome ProvisionerForTest::Upgrade(const ProvisionRequest& request) {
  return Collect<ProvisionRequest>(&Stub::Upgrade, request);
}

StreamOutcome ProvisionerForTest::ConfigureTls(const ProvisionRequest& request) {
  return Collect<ProvisionRequest>(&Stub::ConfigureTls, request);
}

absl::StatusOr<HostInfo> ProvisionerForTest::Detect(const ::provisioner::v1::SshTarget& target) {
  ::provisioner::v1::DetectRequest request;
  *request.mutable_target() = target;
  HostInfo info;
  const auto context = Context();
  const grpc::Status status = stub_->Detect(context.get(), request, &info);
  if (!status.ok()) return common::FromGrpcStatus(status);
  return info;
}

}  // namespace machine::provisioner
