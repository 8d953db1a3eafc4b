// The main function of every driver:
//
//   int main(int argc, char** argv) {
//     return machine::driver::Serve(argc, argv, std::make_unique<GenericDriver>());
//   }
#ifndef DRIVERS_SDK_SERVE_H_
#define DRIVERS_SDK_SERVE_H_

#include <memory>

#include "drivers/sdk/driver.h"

namespace machine::driver {

/// Serves `driver` until its parent ends, a signal comes or Shutdown is called. Without arguments
/// it is a child as proto/driver/v1/bootstrap.proto says; with --listen it stands alone.
/// Returns the exit status of the process. Call it before any thread is
/// started: the driver's constructor must start none.
int Serve(int argc, char** argv, std::unique_ptr<Driver> driver);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_SERVE_H_
