#include "services/orchestrator/engine/instance_removal.h"

#include <memory>
#include <utility>

#include "services/common/rpc/client_reactors.h"
#include "services/orchestrator/engine/driver_steps.h"

namespace machine::orchestrator {
namespace {

using ::driver::v1::ActionEvent;

constexpr absl::Duration kRemoveTimeout = absl::Minutes(10);

struct Removal {
  std::string driver_name;
  ::driver::v1::RemoveRequest request;
  absl::AnyInvocable<void(absl::Status)> done;
  std::shared_ptr<DriverConnection> driver;
};

void Begin(const std::shared_ptr<Removal>& removal) {
  auto stream = common::ReadStream<ActionEvent>::Create(
      [](const ActionEvent&) {},  // Nobody is there to be told how far it is.
      [removal](absl::Status status) {
        removal->done(DriverCallStatus(std::move(status), removal->driver_name));
      });
  removal->driver->channel().Prepare(stream->context(), kRemoveTimeout);
  removal->driver->stub().async()->Remove(&stream->context(), &removal->request, stream.get());
  stream->Begin();
}

}  // namespace

void RemoveInstance(const EngineParts& parts, const std::string& driver,
                    ::driver::v1::MachineRef machine, absl::AnyInvocable<void(absl::Status)> done) {
  auto removal = std::make_shared<Removal>();
  removal->driver_name = driver;
  *removal->request.mutable_machine() = std::move(machine);
  removal->done = std::move(done);
  parts.drivers.GetDriver(driver,
                          [removal](absl::StatusOr<std::shared_ptr<DriverConnection>> connection) {
                            if (!connection.ok()) return removal->done(connection.status());
                            removal->driver = *std::move(connection);
                            Begin(removal);
                          });
}

}  // namespace machine::orchestrator
