#include <memory>

#include "drivers/generic/generic_driver.h"
#include "drivers/generic/remote_reboot.h"
#include "drivers/sdk/serve.h"

int main(int argc, char** argv) {
  using machine::driver::generic::GenericDriver;
  using machine::driver::generic::SshRebooter;
  return machine::driver::Serve(argc, argv,
                                std::make_unique<GenericDriver>(std::make_unique<SshRebooter>()));
}
