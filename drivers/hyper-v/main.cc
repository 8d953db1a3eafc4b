#include <memory>

#include "drivers/hyper-v/hyperv_driver.h"
#include "drivers/sdk/serve.h"

int main(int argc, char** argv) {
  return machine::driver::Serve(argc, argv,
                                std::make_unique<machine::driver::hyperv::HypervDriver>());
}
