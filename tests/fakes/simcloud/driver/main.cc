#include <memory>

#include "drivers/sdk/serve.h"
#include "tests/fakes/simcloud/driver/simcloud_driver.h"

int main(int argc, char** argv) {
  return machine::driver::Serve(argc, argv,
                                std::make_unique<machine::driver::simcloud::SimCloudDriver>());
}
