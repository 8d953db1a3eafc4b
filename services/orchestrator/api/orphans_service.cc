#include "services/orchestrator/api/orphans_service.h"

#include <utility>

#include "services/common/rpc/server_reactors.h"

namespace machine::orchestrator {

grpc::ServerWriteReactor<machine::v1::Orphan>* OrphansService::CollectOrphans(
    grpc::CallbackServerContext*, const machine::v1::CollectOrphansRequest* request) {
  auto stream = common::EventStream<machine::v1::Orphan>::Create();
  executor_.Run([this, stream, request = *request] {
    stream->End(collector_.Collect(request, [&](machine::v1::Orphan orphan) {
      return stream->PushWhenRoom(std::move(orphan));
    }));
  });
  return stream.get();
}

}  // namespace machine::orchestrator
