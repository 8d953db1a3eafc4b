#include <memory>

#include "drivers/amazonec2/amazonec2_driver.h"
#include "drivers/sdk/serve.h"

int main(int argc, char** argv) {
  return machine::driver::Serve(argc, argv,
                                std::make_unique<machine::driver::amazonec2::AmazonEc2Driver>());
}
