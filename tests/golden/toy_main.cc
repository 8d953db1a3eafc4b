#include <memory>

#include "drivers/sdk/serve.h"
#include "tests/golden/toy_driver.h"

int main(int argc, char** argv) {
  return machine::driver::Serve(argc, argv, std::make_unique<machine::driver::toy::ToyDriver>());
}
