#include "drivers/sdk/serve.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/service.h"
#include "services/common/rpc/child.h"

namespace machine::driver {

int Serve(int argc, char** argv, std::unique_ptr<Driver> driver) {
  const std::string name = driver->info().name;
  const common::ChildProgram program = {
      .name = name,
      .program = absl::StrCat("machine-driver-", name),
      .description = absl::StrCat("The ", name, " driver of Docker Machine."),
  };
  const auto factory = [&driver](const common::ChildEnvironment& child)
      -> absl::StatusOr<std::unique_ptr<common::ChildServer>> {
    DriverEnvironment environment = {.log = child.log, .orchestrator_id = child.orchestrator_id};
    if (!child.data_dir.empty()) {
      environment.data_dir = absl::StrCat(child.data_dir, "/", driver->info().name);
    }
    return DriverService::Create(std::move(driver), environment, child.request_shutdown);
  };
  return common::RunChild(argc, argv, program, factory);
}

}  // namespace machine::driver
