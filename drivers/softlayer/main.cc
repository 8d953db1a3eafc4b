#include <memory>

#include "drivers/sdk/serve.h"
#include "drivers/softlayer/softlayer_driver.h"

int main(int argc, char** argv) {
  return machine::driver::Serve(argc, argv,
                                std::make_unique<machine::driver::softlayer::SoftLayerDriver>());
}
